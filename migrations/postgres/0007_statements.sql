CREATE TABLE "statement_due" (
	"task" bigint PRIMARY KEY NOT NULL,
	"since" bigint NOT NULL,
	"cursor" bigint NOT NULL,
	"late" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "task_statement" (
	"task" bigint NOT NULL,
	"number" bigint NOT NULL,
	"at" bigint NOT NULL,
	"through" bigint NOT NULL,
	"digest" text NOT NULL,
	"jws" text NOT NULL,
	CONSTRAINT "task_statement_task_number_pk" PRIMARY KEY("task","number")
);
--> statement-breakpoint
ALTER TABLE "statement_due" ADD CONSTRAINT "statement_due_task_task_id_fk" FOREIGN KEY ("task") REFERENCES "public"."task"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task_statement" ADD CONSTRAINT "task_statement_task_task_id_fk" FOREIGN KEY ("task") REFERENCES "public"."task"("id") ON DELETE no action ON UPDATE no action;