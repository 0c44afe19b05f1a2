CREATE TABLE `client_hour` (
	`client` integer NOT NULL,
	`hour` integer NOT NULL,
	PRIMARY KEY(`client`, `hour`)
);
--> statement-breakpoint
CREATE TABLE `entry` (
	`seq` integer PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`kind` integer NOT NULL,
	`task` integer,
	`token` integer,
	`agent` integer,
	`instance` integer,
	`orchestrator` integer,
	`api` integer,
	`operation` integer,
	`outcome` integer,
	`code` integer,
	`subject` integer,
	`resource` text,
	`reference` text
);
--> statement-breakpoint
CREATE INDEX `entry_task` ON `entry` (`task`);--> statement-breakpoint
CREATE INDEX `entry_agent` ON `entry` (`agent`);--> statement-breakpoint
CREATE TABLE `entry_bytes` (
	`seq` integer PRIMARY KEY NOT NULL,
	`bytes` blob NOT NULL,
	`leaf` blob NOT NULL,
	`personal` text,
	`key` blob,
	FOREIGN KEY (`seq`) REFERENCES `entry`(`seq`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `feed` (
	`cursor` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kind` text NOT NULL,
	`value` text NOT NULL,
	`before` integer NOT NULL,
	`until` integer NOT NULL,
	`api` integer NOT NULL,
	`code` text NOT NULL,
	`revocation` text
);
--> statement-breakpoint
CREATE INDEX `feed_api` ON `feed` (`api`,`cursor`);--> statement-breakpoint
CREATE TABLE `lock` (
	`kind` text NOT NULL,
	`value` text NOT NULL,
	`until` integer,
	`revocation` text NOT NULL,
	PRIMARY KEY(`kind`, `value`)
);
--> statement-breakpoint
CREATE TABLE `name` (
	`id` integer PRIMARY KEY NOT NULL,
	`text` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `name_text_unique` ON `name` (`text`);--> statement-breakpoint
CREATE TABLE `policy` (
	`digest` text PRIMARY KEY NOT NULL,
	`files` text NOT NULL,
	`loaded_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `policy_in_force` (
	`id` integer PRIMARY KEY NOT NULL,
	`digest` text NOT NULL,
	`since` integer NOT NULL,
	FOREIGN KEY (`digest`) REFERENCES `policy`(`digest`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "policy_in_force_one" CHECK("policy_in_force"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE `revocation` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`value` text NOT NULL,
	`before` integer NOT NULL,
	`until` integer,
	`reason` text,
	`set_by` text NOT NULL,
	`at` integer NOT NULL,
	`tokens` integer NOT NULL,
	`lifted_at` integer
);
--> statement-breakpoint
CREATE TABLE `setting` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `signing_key` (
	`kid` text PRIMARY KEY NOT NULL,
	`alg` text NOT NULL,
	`state` text NOT NULL,
	`public_jwk` text NOT NULL,
	`wrapped` blob NOT NULL,
	`created_at` integer NOT NULL,
	`activated_at` integer
);
--> statement-breakpoint
CREATE TABLE `spent` (
	`digest` blob PRIMARY KEY NOT NULL,
	`until` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `spent_until` ON `spent` (`until`);--> statement-breakpoint
CREATE TABLE `start_minute` (
	`type` integer NOT NULL,
	`minute` integer NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`type`, `minute`)
);
--> statement-breakpoint
CREATE TABLE `subject` (
	`id` integer PRIMARY KEY NOT NULL,
	`text` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `subject_text_unique` ON `subject` (`text`);--> statement-breakpoint
CREATE TABLE `task` (
	`id` integer PRIMARY KEY NOT NULL,
	`task_id` text NOT NULL,
	`type` integer NOT NULL,
	`agent` integer NOT NULL,
	`instance` integer NOT NULL,
	`orchestrator` integer NOT NULL,
	`subject` integer NOT NULL,
	`state` text NOT NULL,
	`started_at` integer NOT NULL,
	`deadline` integer NOT NULL,
	`ended_at` integer,
	`reference` text,
	`request_digest` text NOT NULL,
	`policy` text NOT NULL,
	`authority` text NOT NULL,
	`purpose` text,
	`inputs` text,
	`jkt` text,
	`key` blob,
	`iat_floor` integer DEFAULT 0 NOT NULL,
	FOREIGN KEY (`subject`) REFERENCES `subject`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `task_task_id_unique` ON `task` (`task_id`);--> statement-breakpoint
CREATE INDEX `task_running` ON `task` (`deadline`) WHERE "task"."state" in ('active', 'paused');--> statement-breakpoint
CREATE INDEX `task_orchestrator` ON `task` (`orchestrator`,`id`);--> statement-breakpoint
CREATE INDEX `task_agent` ON `task` (`agent`,`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `task_reference` ON `task` (`reference`,`orchestrator`);--> statement-breakpoint
CREATE TABLE `task_count` (
	`type` integer PRIMARY KEY NOT NULL,
	`active` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `token` (
	`id` integer PRIMARY KEY NOT NULL,
	`jti` text NOT NULL,
	`task` integer NOT NULL,
	`api` integer NOT NULL,
	`iat` integer NOT NULL,
	`exp` integer NOT NULL,
	`kid` integer NOT NULL,
	`claims` text,
	`generation` integer NOT NULL,
	`ended_at` integer,
	FOREIGN KEY (`task`) REFERENCES `task`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `token_jti_unique` ON `token` (`jti`);--> statement-breakpoint
CREATE INDEX `token_task` ON `token` (`task`);--> statement-breakpoint
CREATE INDEX `token_exp` ON `token` (`exp`);--> statement-breakpoint
CREATE TABLE `use_batch` (
	`instance` integer NOT NULL,
	`sequence` integer NOT NULL,
	`digest` text NOT NULL,
	PRIMARY KEY(`instance`, `sequence`),
	FOREIGN KEY (`instance`) REFERENCES `verifier_instance`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `verifier_instance` (
	`id` integer PRIMARY KEY NOT NULL,
	`instance` text NOT NULL,
	`api` integer NOT NULL,
	`jkt` text NOT NULL,
	`public_jwk` text NOT NULL,
	`sequence` integer NOT NULL,
	`digest` text,
	`cursor` integer,
	`applied_at` integer,
	`last_seen` integer NOT NULL,
	`final` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `verifier_instance_instance_unique` ON `verifier_instance` (`instance`);