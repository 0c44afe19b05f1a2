ALTER TABLE "feed" ADD COLUMN "successor" text;--> statement-breakpoint
ALTER TABLE "signing_key" ADD COLUMN "used_at" bigint;--> statement-breakpoint
ALTER TABLE "signing_key" ADD COLUMN "superseded_at" bigint;--> statement-breakpoint
ALTER TABLE "signing_key" ADD COLUMN "needed_until" bigint;--> statement-breakpoint
ALTER TABLE "signing_key" ADD COLUMN "retired_at" bigint;--> statement-breakpoint
UPDATE "signing_key" SET "state" = 'current' WHERE "state" = 'active';--> statement-breakpoint
CREATE UNIQUE INDEX "signing_key_one" ON "signing_key" USING btree ("state") WHERE "signing_key"."state" in ('current', 'next');