CREATE TABLE `ledger_checkpoint` (
	`size` integer PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`note` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `ledger_checkpoint_at` ON `ledger_checkpoint` (`at`);--> statement-breakpoint
CREATE TABLE `ledger_key` (
	`vkey` text PRIMARY KEY NOT NULL,
	`state` text NOT NULL,
	`wrapped` blob NOT NULL,
	`created_at` integer NOT NULL,
	`retired_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `ledger_key_one` ON `ledger_key` (`state`) WHERE "ledger_key"."state" in ('current', 'leaving');--> statement-breakpoint
CREATE TABLE `ledger_node` (
	`level` integer NOT NULL,
	`place` integer NOT NULL,
	`hash` blob NOT NULL,
	PRIMARY KEY(`level`, `place`)
);
--> statement-breakpoint
CREATE TABLE `ledger_tree` (
	`id` integer PRIMARY KEY NOT NULL,
	`origin` text NOT NULL,
	`size` integer NOT NULL,
	`frontier` blob NOT NULL,
	`stopped` text,
	CONSTRAINT "ledger_tree_one" CHECK("ledger_tree"."id" = 1)
);
--> statement-breakpoint
ALTER TABLE `use_batch` ADD `entry` integer;