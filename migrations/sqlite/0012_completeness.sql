CREATE TABLE `verifier_gap` (
	`id` integer PRIMARY KEY NOT NULL,
	`instance` integer NOT NULL,
	`first` integer NOT NULL,
	`last` integer NOT NULL,
	`why` text NOT NULL,
	`known` text,
	`previous` text,
	`told_at` integer NOT NULL,
	`written_off_at` integer,
	FOREIGN KEY (`instance`) REFERENCES `verifier_instance`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `verifier_gap_instance` ON `verifier_gap` (`instance`);--> statement-breakpoint
CREATE INDEX `verifier_gap_open` ON `verifier_gap` (`instance`) WHERE "verifier_gap"."written_off_at" is null;--> statement-breakpoint
ALTER TABLE `verifier_instance` ADD `joined_at` integer;--> statement-breakpoint
ALTER TABLE `verifier_instance` ADD `drift` integer;--> statement-breakpoint
ALTER TABLE `verifier_instance` ADD `drifted_since` integer;--> statement-breakpoint
ALTER TABLE `verifier_instance` ADD `written_off_at` integer;--> statement-breakpoint
CREATE INDEX `verifier_instance_drifted` ON `verifier_instance` (`id`) WHERE "verifier_instance"."drifted_since" is not null;