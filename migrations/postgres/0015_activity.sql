CREATE TABLE "rollup_api" (
	"day" bigint NOT NULL,
	"api" bigint NOT NULL,
	"allowed" bigint NOT NULL,
	"observed" bigint NOT NULL,
	"refused" bigint NOT NULL,
	"introspected" bigint NOT NULL,
	CONSTRAINT "rollup_api_day_api_pk" PRIMARY KEY("day","api")
);
--> statement-breakpoint
CREATE TABLE "rollup_hour" (
	"hour" bigint NOT NULL,
	"agent" bigint NOT NULL,
	"starts" bigint NOT NULL,
	"uses" bigint NOT NULL,
	"refusals" bigint NOT NULL,
	"last_at" bigint NOT NULL,
	"last_seq" bigint NOT NULL,
	CONSTRAINT "rollup_hour_hour_agent_pk" PRIMARY KEY("hour","agent")
);
--> statement-breakpoint
CREATE INDEX "rollup_hour_agent" ON "rollup_hour" USING btree ("agent","hour");--> statement-breakpoint
CREATE INDEX "entry_refused" ON "entry" USING btree ("seq") WHERE "entry"."outcome" = 0;