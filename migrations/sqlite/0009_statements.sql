CREATE TABLE `statement_due` (
	`task` integer PRIMARY KEY NOT NULL,
	`since` integer NOT NULL,
	`cursor` integer NOT NULL,
	`late` integer NOT NULL,
	FOREIGN KEY (`task`) REFERENCES `task`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `task_statement` (
	`task` integer NOT NULL,
	`number` integer NOT NULL,
	`at` integer NOT NULL,
	`through` integer NOT NULL,
	`digest` text NOT NULL,
	`jws` text NOT NULL,
	PRIMARY KEY(`task`, `number`),
	FOREIGN KEY (`task`) REFERENCES `task`(`id`) ON UPDATE no action ON DELETE no action
);
