CREATE TABLE `declaration` (
	`instance` integer PRIMARY KEY NOT NULL,
	`operations` text NOT NULL,
	`declared_at` integer NOT NULL,
	FOREIGN KEY (`instance`) REFERENCES `verifier_instance`(`id`) ON UPDATE no action ON DELETE no action
);
