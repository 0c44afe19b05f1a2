CREATE TABLE "declaration" (
	"instance" bigint PRIMARY KEY NOT NULL,
	"operations" text NOT NULL,
	"declared_at" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "declaration" ADD CONSTRAINT "declaration_instance_verifier_instance_id_fk" FOREIGN KEY ("instance") REFERENCES "public"."verifier_instance"("id") ON DELETE no action ON UPDATE no action;