CREATE TABLE `delegation` (
	`id` integer PRIMARY KEY NOT NULL,
	`delegation_id` text NOT NULL,
	`task` integer NOT NULL,
	`parent` integer NOT NULL,
	`agent` integer NOT NULL,
	`instance` integer NOT NULL,
	`jkt` text,
	`authority` text NOT NULL,
	`started_at` integer NOT NULL,
	`ended_at` integer,
	FOREIGN KEY (`task`) REFERENCES `task`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `delegation_delegation_id_unique` ON `delegation` (`delegation_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `delegation_living` ON `delegation` (`task`,`parent`,`agent`,`instance`) WHERE "delegation"."ended_at" is null;--> statement-breakpoint
CREATE INDEX `delegation_task` ON `delegation` (`task`);--> statement-breakpoint
CREATE INDEX `delegation_parent` ON `delegation` (`parent`);--> statement-breakpoint
CREATE INDEX `delegation_agent` ON `delegation` (`agent`);--> statement-breakpoint
ALTER TABLE `token` ADD `delegation` integer;--> statement-breakpoint
CREATE INDEX `token_delegation` ON `token` (`delegation`) WHERE "token"."delegation" is not null;