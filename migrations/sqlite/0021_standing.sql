CREATE TABLE `rollup_standing` (
	`hour` integer NOT NULL,
	`what` text NOT NULL,
	`began` integer NOT NULL,
	`ended` integer NOT NULL,
	PRIMARY KEY(`hour`, `what`)
);
