ALTER TABLE "ledger_bundle" ADD COLUMN "file" text;--> statement-breakpoint
CREATE INDEX "ledger_bundle_file" ON "ledger_bundle" USING btree ("file","first");