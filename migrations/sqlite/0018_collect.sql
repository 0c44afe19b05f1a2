ALTER TABLE `task` ADD `collect_by` integer;--> statement-breakpoint
CREATE INDEX `task_collect_by` ON `task` (`collect_by`) WHERE "task"."collect_by" is not null;