CREATE TABLE `anomaly_hour` (
	`type` integer NOT NULL,
	`agent` integer NOT NULL,
	`hour` integer NOT NULL,
	`starts` integer NOT NULL,
	`uses` integer NOT NULL,
	`refused` integer NOT NULL,
	`told_at` integer NOT NULL,
	`seq` integer NOT NULL,
	PRIMARY KEY(`type`, `agent`, `hour`)
);
--> statement-breakpoint
CREATE INDEX `anomaly_hour_seq` ON `anomaly_hour` (`seq`);--> statement-breakpoint
CREATE INDEX `anomaly_hour_hour` ON `anomaly_hour` (`hour`);--> statement-breakpoint
CREATE TABLE `anomaly_operation` (
	`type` integer NOT NULL,
	`agent` integer NOT NULL,
	`operation` integer NOT NULL,
	`since` integer NOT NULL,
	`task` integer NOT NULL,
	`last_at` integer NOT NULL,
	`seq` integer NOT NULL,
	PRIMARY KEY(`type`, `agent`, `operation`)
);
--> statement-breakpoint
CREATE INDEX `anomaly_operation_seq` ON `anomaly_operation` (`seq`);--> statement-breakpoint
CREATE TABLE `anomaly_size` (
	`type` integer NOT NULL,
	`agent` integer NOT NULL,
	`measure` integer NOT NULL,
	`day` integer NOT NULL,
	`size` integer NOT NULL,
	`tasks` integer NOT NULL,
	PRIMARY KEY(`type`, `agent`, `measure`, `day`, `size`)
);
--> statement-breakpoint
CREATE TABLE `anomaly_task` (
	`task` integer NOT NULL,
	`agent` integer NOT NULL,
	`type` integer NOT NULL,
	`started_at` integer NOT NULL,
	`uses` integer NOT NULL,
	`refused` integer NOT NULL,
	`touched` blob NOT NULL,
	`told_at` integer NOT NULL,
	`seq` integer NOT NULL,
	`ended_at` integer,
	`acted` text NOT NULL,
	PRIMARY KEY(`task`, `agent`)
);
--> statement-breakpoint
CREATE INDEX `anomaly_task_seq` ON `anomaly_task` (`seq`) WHERE "anomaly_task"."uses" >= 10;--> statement-breakpoint
CREATE INDEX `anomaly_task_ended` ON `anomaly_task` (`ended_at`) WHERE "anomaly_task"."ended_at" is not null;