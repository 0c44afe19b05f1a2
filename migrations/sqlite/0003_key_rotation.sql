ALTER TABLE `feed` ADD `successor` text;--> statement-breakpoint
ALTER TABLE `signing_key` ADD `used_at` integer;--> statement-breakpoint
ALTER TABLE `signing_key` ADD `superseded_at` integer;--> statement-breakpoint
ALTER TABLE `signing_key` ADD `needed_until` integer;--> statement-breakpoint
ALTER TABLE `signing_key` ADD `retired_at` integer;--> statement-breakpoint
UPDATE `signing_key` SET `state` = 'current' WHERE `state` = 'active';--> statement-breakpoint
CREATE UNIQUE INDEX `signing_key_one` ON `signing_key` (`state`) WHERE "signing_key"."state" in ('current', 'next');