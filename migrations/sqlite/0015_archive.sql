CREATE TABLE `ledger_bundle` (
	`first` integer PRIMARY KEY NOT NULL,
	`leaves` blob NOT NULL,
	`packed` blob NOT NULL,
	`digest` blob NOT NULL
);
