CREATE TABLE `rollup_api` (
	`day` integer NOT NULL,
	`api` integer NOT NULL,
	`allowed` integer NOT NULL,
	`observed` integer NOT NULL,
	`refused` integer NOT NULL,
	`introspected` integer NOT NULL,
	PRIMARY KEY(`day`, `api`)
);
--> statement-breakpoint
CREATE TABLE `rollup_hour` (
	`hour` integer NOT NULL,
	`agent` integer NOT NULL,
	`starts` integer NOT NULL,
	`uses` integer NOT NULL,
	`refusals` integer NOT NULL,
	`last_at` integer NOT NULL,
	`last_seq` integer NOT NULL,
	PRIMARY KEY(`hour`, `agent`)
);
--> statement-breakpoint
CREATE INDEX `rollup_hour_agent` ON `rollup_hour` (`agent`,`hour`);--> statement-breakpoint
CREATE INDEX `entry_refused` ON `entry` (`seq`) WHERE "entry"."outcome" = 0;