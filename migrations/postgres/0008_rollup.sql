CREATE TABLE "rollup_day" (
	"day" bigint PRIMARY KEY NOT NULL,
	"entries" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "rollup_place" (
	"id" bigint PRIMARY KEY NOT NULL,
	"seq" bigint NOT NULL,
	CONSTRAINT "rollup_place_one" CHECK ("rollup_place"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "rollup_privilege" (
	"day" bigint NOT NULL,
	"type" bigint NOT NULL,
	"agent" bigint NOT NULL,
	"api" bigint NOT NULL,
	"operation" bigint NOT NULL,
	"rule" bigint NOT NULL,
	"granted" bigint NOT NULL,
	"used" bigint NOT NULL,
	"refused" bigint NOT NULL,
	"last_used" bigint,
	CONSTRAINT "rollup_privilege_day_type_agent_api_operation_rule_pk" PRIMARY KEY("day","type","agent","api","operation","rule")
);
--> statement-breakpoint
CREATE INDEX "rollup_privilege_agent" ON "rollup_privilege" USING btree ("agent","day");