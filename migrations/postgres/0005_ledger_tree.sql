CREATE TABLE "ledger_checkpoint" (
	"size" bigint PRIMARY KEY NOT NULL,
	"at" bigint NOT NULL,
	"note" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "ledger_key" (
	"vkey" text PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"wrapped" "bytea" NOT NULL,
	"created_at" bigint NOT NULL,
	"retired_at" bigint
);
--> statement-breakpoint
CREATE TABLE "ledger_node" (
	"level" bigint NOT NULL,
	"place" bigint NOT NULL,
	"hash" "bytea" NOT NULL,
	CONSTRAINT "ledger_node_level_place_pk" PRIMARY KEY("level","place")
);
--> statement-breakpoint
CREATE TABLE "ledger_tree" (
	"id" bigint PRIMARY KEY NOT NULL,
	"origin" text NOT NULL,
	"size" bigint NOT NULL,
	"frontier" "bytea" NOT NULL,
	"stopped" text,
	CONSTRAINT "ledger_tree_one" CHECK ("ledger_tree"."id" = 1)
);
--> statement-breakpoint
ALTER TABLE "use_batch" ADD COLUMN "entry" bigint;--> statement-breakpoint
CREATE INDEX "ledger_checkpoint_at" ON "ledger_checkpoint" USING btree ("at");--> statement-breakpoint
CREATE UNIQUE INDEX "ledger_key_one" ON "ledger_key" USING btree ("state") WHERE "ledger_key"."state" in ('current', 'leaving');