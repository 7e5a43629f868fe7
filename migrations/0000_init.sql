CREATE TABLE `account` (
	`id` text PRIMARY KEY NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`name` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `api_key` (
	`hash` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`workspace_id` text NOT NULL,
	`name` text NOT NULL,
	`hint` text NOT NULL,
	`expires` text,
	`revoked` text,
	FOREIGN KEY (`workspace_id`) REFERENCES `workspace`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `home` (
	`workspace_id` text NOT NULL,
	`key` text NOT NULL,
	`created` text NOT NULL,
	`work_pool_id` text,
	PRIMARY KEY(`workspace_id`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `workspace` (
	`id` text PRIMARY KEY NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`account_id` text NOT NULL,
	`name` text NOT NULL,
	`store` text NOT NULL,
	`region` text,
	`event_streams` integer NOT NULL,
	`log_shards` integer NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `account`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `workspace_by_name` ON `workspace` (`account_id`,`name`);--> statement-breakpoint
CREATE TABLE `deployment` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`version_number` integer NOT NULL,
	`home_key` text NOT NULL,
	`flow_id` text NOT NULL,
	`name` text NOT NULL,
	`version` text,
	`description` text,
	`paused` integer NOT NULL,
	`concurrency_limit` integer,
	`concurrency_options` text,
	`job_variables` text NOT NULL,
	`parameters` text NOT NULL,
	`parameter_openapi_schema` text,
	`enforce_parameter_schema` integer NOT NULL,
	`tags` text NOT NULL,
	`labels` text NOT NULL,
	`work_queue_id` text,
	`path` text,
	`pull_steps` text,
	`entrypoint` text,
	`last_polled` text,
	`created_by` text,
	`updated_by` text,
	FOREIGN KEY (`flow_id`) REFERENCES `flow`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`work_queue_id`) REFERENCES `work_queue`(`id`) ON UPDATE no action ON DELETE set null
);
--> statement-breakpoint
CREATE UNIQUE INDEX `deployment_by_name` ON `deployment` (`workspace_id`,`flow_id`,`name`);--> statement-breakpoint
CREATE INDEX `deployment_by_queue` ON `deployment` (`work_queue_id`);--> statement-breakpoint
CREATE TABLE `deployment_schedule` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`deployment_id` text NOT NULL,
	`schedule` text NOT NULL,
	`active` integer NOT NULL,
	`max_scheduled_runs` integer,
	`parameters` text NOT NULL,
	`slug` text,
	FOREIGN KEY (`deployment_id`) REFERENCES `deployment`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `schedule_by_deployment` ON `deployment_schedule` (`deployment_id`);--> statement-breakpoint
CREATE TABLE `flow` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`name` text NOT NULL,
	`tags` text NOT NULL,
	`labels` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `flow_by_name` ON `flow` (`workspace_id`,`name`);--> statement-breakpoint
CREATE TABLE `work_pool` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`version_number` integer NOT NULL,
	`home_key` text NOT NULL,
	`name` text NOT NULL,
	`description` text,
	`type` text NOT NULL,
	`base_job_template` text NOT NULL,
	`is_paused` integer NOT NULL,
	`concurrency_limit` integer,
	`default_queue_id` text NOT NULL,
	`storage_configuration` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `work_pool_by_name` ON `work_pool` (`workspace_id`,`name`);--> statement-breakpoint
CREATE TABLE `work_queue` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`work_pool_id` text NOT NULL,
	`name` text NOT NULL,
	`description` text,
	`is_paused` integer NOT NULL,
	`concurrency_limit` integer,
	`priority` integer NOT NULL,
	`last_polled` text,
	FOREIGN KEY (`work_pool_id`) REFERENCES `work_pool`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `work_queue_by_name` ON `work_queue` (`work_pool_id`,`name`);--> statement-breakpoint
CREATE TABLE `worker` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`work_pool_id` text NOT NULL,
	`name` text NOT NULL,
	`last_heartbeat_time` text NOT NULL,
	`heartbeat_interval_seconds` integer,
	FOREIGN KEY (`work_pool_id`) REFERENCES `work_pool`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `worker_by_name` ON `worker` (`work_pool_id`,`name`);--> statement-breakpoint
CREATE TABLE `flow_run` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`tail` text NOT NULL,
	`seq` integer NOT NULL,
	`deleted` integer NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`name` text NOT NULL,
	`flow_id` text NOT NULL,
	`deployment_id` text,
	`deployment_version` text,
	`work_pool_id` text,
	`work_queue_id` text,
	`flow_version` text,
	`parameters` text NOT NULL,
	`idempotency_key` text,
	`context` text NOT NULL,
	`empirical_policy` text NOT NULL,
	`tags` text NOT NULL,
	`labels` text NOT NULL,
	`parent_task_run_id` text,
	`state_id` text,
	`state_type` text,
	`state_name` text,
	`states` text NOT NULL,
	`run_count` integer NOT NULL,
	`expected_start_time` text,
	`next_scheduled_start_time` text,
	`start_time` text,
	`end_time` text,
	`total_run_time` real NOT NULL,
	`auto_scheduled` integer NOT NULL,
	`infrastructure_pid` text,
	`created_by` text,
	`job_variables` text,
	PRIMARY KEY(`workspace_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `flow_run_by_tail` ON `flow_run` (`workspace_id`,`tail`);--> statement-breakpoint
CREATE INDEX `flow_run_by_expected_start` ON `flow_run` (`workspace_id`,`expected_start_time`);--> statement-breakpoint
CREATE INDEX `flow_run_by_deployment` ON `flow_run` (`workspace_id`,`deployment_id`) WHERE deployment_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `flow_run_by_parent` ON `flow_run` (`workspace_id`,`parent_task_run_id`) WHERE parent_task_run_id IS NOT NULL;--> statement-breakpoint
CREATE TABLE `idempotency_key` (
	`workspace_id` text NOT NULL,
	`flow_id` text NOT NULL,
	`key` text NOT NULL,
	`flow_run_id` text NOT NULL,
	`created` text NOT NULL,
	PRIMARY KEY(`workspace_id`, `flow_id`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `task_run` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`seq` integer NOT NULL,
	`deleted` integer NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`name` text NOT NULL,
	`flow_run_id` text,
	`task_key` text NOT NULL,
	`dynamic_key` text NOT NULL,
	`cache_key` text,
	`cache_expiration` text,
	`task_version` text,
	`empirical_policy` text NOT NULL,
	`tags` text NOT NULL,
	`labels` text NOT NULL,
	`task_inputs` text NOT NULL,
	`state_id` text,
	`state_type` text,
	`state_name` text,
	`states` text NOT NULL,
	`run_count` integer NOT NULL,
	`flow_run_run_count` integer NOT NULL,
	`expected_start_time` text,
	`next_scheduled_start_time` text,
	`start_time` text,
	`end_time` text,
	`total_run_time` real NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `task_run_by_flow_run` ON `task_run` (`workspace_id`,`flow_run_id`);