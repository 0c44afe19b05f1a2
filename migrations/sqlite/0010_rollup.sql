CREATE TABLE `rollup_day` (
	`day` integer PRIMARY KEY NOT NULL,
	`entries` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `rollup_place` (
	`id` integer PRIMARY KEY NOT NULL,
	`seq` integer NOT NULL,
	CONSTRAINT "rollup_place_one" CHECK("rollup_place"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE `rollup_privilege` (
	`day` integer NOT NULL,
	`type` integer NOT NULL,
	`agent` integer NOT NULL,
	`api` integer NOT NULL,
	`operation` integer NOT NULL,
	`rule` integer NOT NULL,
	`granted` integer NOT NULL,
	`used` integer NOT NULL,
	`refused` integer NOT NULL,
	`last_used` integer,
	PRIMARY KEY(`day`, `type`, `agent`, `api`, `operation`, `rule`)
);
--> statement-breakpoint
CREATE INDEX `rollup_privilege_agent` ON `rollup_privilege` (`agent`,`day`);