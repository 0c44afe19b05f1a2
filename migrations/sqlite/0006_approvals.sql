CREATE TABLE `approval` (
	`id` integer PRIMARY KEY NOT NULL,
	`approval_id` text NOT NULL,
	`task` integer NOT NULL,
	`api` integer NOT NULL,
	`operation` integer NOT NULL,
	`resource` text NOT NULL,
	`parameters` text,
	`digest` text NOT NULL,
	`reason` text,
	`requested_by` integer NOT NULL,
	`requested_at` integer NOT NULL,
	`deciders` text NOT NULL,
	`delegation` text,
	`state` text NOT NULL,
	`expires_at` integer NOT NULL,
	`decided_by` text,
	`decided_as` text,
	`decided_at` integer,
	`token` text,
	`use` text,
	FOREIGN KEY (`task`) REFERENCES `task`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `approval_approval_id_unique` ON `approval` (`approval_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `approval_token_unique` ON `approval` (`token`);--> statement-breakpoint
CREATE INDEX `approval_task` ON `approval` (`task`,`id`);--> statement-breakpoint
CREATE INDEX `approval_open` ON `approval` (`expires_at`) WHERE "approval"."state" in ('requested', 'granted');--> statement-breakpoint
CREATE TABLE `delivery` (
	`id` integer PRIMARY KEY NOT NULL,
	`jti` text NOT NULL,
	`address` text NOT NULL,
	`claims` text NOT NULL,
	`due` integer NOT NULL,
	`until` integer NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `delivery_jti_unique` ON `delivery` (`jti`);--> statement-breakpoint
CREATE INDEX `delivery_due` ON `delivery` (`due`);