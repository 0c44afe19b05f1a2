CREATE TABLE `applied` (
	`revocation` text NOT NULL,
	`instance` integer NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`revocation`, `instance`),
	FOREIGN KEY (`revocation`) REFERENCES `revocation`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`instance`) REFERENCES `verifier_instance`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `feed_revocation` ON `feed` (`revocation`) WHERE "feed"."revocation" is not null;