CREATE TABLE "console_session" (
	"digest" "bytea" PRIMARY KEY NOT NULL,
	"person" text NOT NULL,
	"identity" text NOT NULL,
	"signed_in_at" bigint NOT NULL,
	"seen_at" bigint NOT NULL,
	"until" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "console_session_person" ON "console_session" USING btree ("person");--> statement-breakpoint
CREATE INDEX "console_session_until" ON "console_session" USING btree ("until");