CREATE TABLE `console_session` (
	`digest` blob PRIMARY KEY NOT NULL,
	`person` text NOT NULL,
	`identity` text NOT NULL,
	`signed_in_at` integer NOT NULL,
	`seen_at` integer NOT NULL,
	`until` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `console_session_person` ON `console_session` (`person`);--> statement-breakpoint
CREATE INDEX `console_session_until` ON `console_session` (`until`);