ALTER TABLE `ledger_bundle` ADD `file` text;--> statement-breakpoint
CREATE INDEX `ledger_bundle_file` ON `ledger_bundle` (`file`,`first`);