ALTER TABLE "task" ADD COLUMN "collect_by" bigint;--> statement-breakpoint
CREATE INDEX "task_collect_by" ON "task" USING btree ("collect_by") WHERE "task"."collect_by" is not null;