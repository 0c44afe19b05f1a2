ALTER TABLE "ledger_tree" ADD COLUMN "first" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "ledger_tree" ADD COLUMN "feed_from" bigint DEFAULT 0 NOT NULL;