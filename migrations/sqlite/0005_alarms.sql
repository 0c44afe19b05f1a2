CREATE TABLE `alarm` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kind` text NOT NULL,
	`value` text NOT NULL,
	`facts` text NOT NULL,
	`since` integer NOT NULL,
	`raised_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `alarm_one` ON `alarm` (`kind`,`value`);--> statement-breakpoint
DROP INDEX `token_task`;--> statement-breakpoint
CREATE INDEX `token_task` ON `token` (`task`,`exp`);--> statement-breakpoint
ALTER TABLE `task` ADD `behalf` text;--> statement-breakpoint
CREATE INDEX `task_key` ON `task` (`jkt`,`agent`) WHERE "task"."jkt" is not null and "task"."state" in ('active', 'paused');--> statement-breakpoint
CREATE INDEX `verifier_instance_open` ON `verifier_instance` (`last_seen`) WHERE "verifier_instance"."final" = 0;