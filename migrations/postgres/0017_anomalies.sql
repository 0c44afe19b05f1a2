CREATE TABLE "anomaly_hour" (
	"type" bigint NOT NULL,
	"agent" bigint NOT NULL,
	"hour" bigint NOT NULL,
	"starts" bigint NOT NULL,
	"uses" bigint NOT NULL,
	"refused" bigint NOT NULL,
	"told_at" bigint NOT NULL,
	"seq" bigint NOT NULL,
	CONSTRAINT "anomaly_hour_type_agent_hour_pk" PRIMARY KEY("type","agent","hour")
);
--> statement-breakpoint
CREATE TABLE "anomaly_operation" (
	"type" bigint NOT NULL,
	"agent" bigint NOT NULL,
	"operation" bigint NOT NULL,
	"since" bigint NOT NULL,
	"task" bigint NOT NULL,
	"last_at" bigint NOT NULL,
	"seq" bigint NOT NULL,
	CONSTRAINT "anomaly_operation_type_agent_operation_pk" PRIMARY KEY("type","agent","operation")
);
--> statement-breakpoint
CREATE TABLE "anomaly_size" (
	"type" bigint NOT NULL,
	"agent" bigint NOT NULL,
	"measure" bigint NOT NULL,
	"day" bigint NOT NULL,
	"size" bigint NOT NULL,
	"tasks" bigint NOT NULL,
	CONSTRAINT "anomaly_size_type_agent_measure_day_size_pk" PRIMARY KEY("type","agent","measure","day","size")
);
--> statement-breakpoint
CREATE TABLE "anomaly_task" (
	"task" bigint NOT NULL,
	"agent" bigint NOT NULL,
	"type" bigint NOT NULL,
	"started_at" bigint NOT NULL,
	"uses" bigint NOT NULL,
	"refused" bigint NOT NULL,
	"touched" "bytea" NOT NULL,
	"told_at" bigint NOT NULL,
	"seq" bigint NOT NULL,
	"ended_at" bigint,
	"acted" text NOT NULL,
	CONSTRAINT "anomaly_task_task_agent_pk" PRIMARY KEY("task","agent")
);
--> statement-breakpoint
CREATE INDEX "anomaly_hour_seq" ON "anomaly_hour" USING btree ("seq");--> statement-breakpoint
CREATE INDEX "anomaly_hour_hour" ON "anomaly_hour" USING btree ("hour");--> statement-breakpoint
CREATE INDEX "anomaly_operation_seq" ON "anomaly_operation" USING btree ("seq");--> statement-breakpoint
CREATE INDEX "anomaly_task_seq" ON "anomaly_task" USING btree ("seq") WHERE "anomaly_task"."uses" >= 10;--> statement-breakpoint
CREATE INDEX "anomaly_task_ended" ON "anomaly_task" USING btree ("ended_at") WHERE "anomaly_task"."ended_at" is not null;