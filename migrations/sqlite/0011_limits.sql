CREATE TABLE `use_count` (
	`task` integer NOT NULL,
	`operation` integer NOT NULL,
	`used` integer NOT NULL,
	PRIMARY KEY(`task`, `operation`),
	FOREIGN KEY (`task`) REFERENCES `task`(`id`) ON UPDATE no action ON DELETE no action
);
