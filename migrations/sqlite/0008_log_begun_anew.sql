ALTER TABLE `ledger_tree` ADD `first` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `ledger_tree` ADD `feed_from` integer DEFAULT 0 NOT NULL;