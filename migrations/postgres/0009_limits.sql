CREATE TABLE "use_count" (
	"task" bigint NOT NULL,
	"operation" bigint NOT NULL,
	"used" bigint NOT NULL,
	CONSTRAINT "use_count_task_operation_pk" PRIMARY KEY("task","operation")
);
--> statement-breakpoint
ALTER TABLE "use_count" ADD CONSTRAINT "use_count_task_task_id_fk" FOREIGN KEY ("task") REFERENCES "public"."task"("id") ON DELETE no action ON UPDATE no action;