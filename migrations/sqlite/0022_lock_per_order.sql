PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_lock` (
	`kind` text NOT NULL,
	`value` text NOT NULL,
	`until` integer,
	`revocation` text NOT NULL,
	PRIMARY KEY(`kind`, `value`, `revocation`)
);
--> statement-breakpoint
INSERT INTO `__new_lock`("kind", "value", "until", "revocation") SELECT "kind", "value", "until", "revocation" FROM `lock`;--> statement-breakpoint
DROP TABLE `lock`;--> statement-breakpoint
ALTER TABLE `__new_lock` RENAME TO `lock`;--> statement-breakpoint
PRAGMA foreign_keys=ON;