CREATE TABLE `status_list` (
	`id` text PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE `status_place` (
	`list` text NOT NULL,
	`idx` integer NOT NULL,
	`token` integer NOT NULL,
	`exp` integer NOT NULL,
	`status` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`list`, `idx`),
	FOREIGN KEY (`list`) REFERENCES `status_list`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`token`) REFERENCES `token`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `status_place_token_unique` ON `status_place` (`token`);--> statement-breakpoint
CREATE INDEX `status_place_told` ON `status_place` (`list`,`exp`,`idx`,`status`) WHERE "status_place"."status" <> 0;