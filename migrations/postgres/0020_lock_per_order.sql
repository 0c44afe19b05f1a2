ALTER TABLE "lock" DROP CONSTRAINT "lock_kind_value_pk";--> statement-breakpoint
ALTER TABLE "lock" ADD CONSTRAINT "lock_kind_value_revocation_pk" PRIMARY KEY("kind","value","revocation");