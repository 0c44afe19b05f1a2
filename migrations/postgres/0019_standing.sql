CREATE TABLE "rollup_standing" (
	"hour" bigint NOT NULL,
	"what" text NOT NULL,
	"began" bigint NOT NULL,
	"ended" bigint NOT NULL,
	CONSTRAINT "rollup_standing_hour_what_pk" PRIMARY KEY("hour","what")
);
