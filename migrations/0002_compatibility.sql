CREATE TABLE `artifact` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`key` text,
	`type` text,
	`description` text,
	`data` text,
	`metadata_` text,
	`flow_run_id` text,
	`task_run_id` text,
	PRIMARY KEY(`workspace_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `artifact_by_key` ON `artifact` (`workspace_id`,`key`) WHERE key IS NOT NULL;--> statement-breakpoint
CREATE INDEX `artifact_by_flow_run` ON `artifact` (`workspace_id`,`flow_run_id`) WHERE flow_run_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `artifact_by_task_run` ON `artifact` (`workspace_id`,`task_run_id`) WHERE task_run_id IS NOT NULL;--> statement-breakpoint
CREATE TABLE `artifact_collection` (
	`workspace_id` text NOT NULL,
	`key` text NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`latest_id` text NOT NULL,
	PRIMARY KEY(`workspace_id`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `automation` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`version_number` integer NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`name` text NOT NULL,
	`description` text NOT NULL,
	`enabled` integer NOT NULL,
	`tags` text NOT NULL,
	`trigger` text NOT NULL,
	`actions` text NOT NULL,
	`actions_on_trigger` text NOT NULL,
	`actions_on_resolve` text NOT NULL,
	`owner_resource` text,
	`related_resources` text NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `block_document` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`block_type_id` text NOT NULL,
	`block_type_name` text NOT NULL,
	`block_schema_id` text NOT NULL,
	`name` text NOT NULL,
	`is_anonymous` integer NOT NULL,
	`data` text NOT NULL,
	`block_document_references` text NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `block_document_by_name` ON `block_document` (`workspace_id`,`block_type_id`,`name`);--> statement-breakpoint
CREATE TABLE `block_schema` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`block_type_id` text NOT NULL,
	`checksum` text NOT NULL,
	`version` text NOT NULL,
	`capabilities` text NOT NULL,
	`fields` text NOT NULL,
	`block_schema_references` text NOT NULL,
	`deleted` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `block_schema_by_checksum` ON `block_schema` (`workspace_id`,`checksum`,`version`);--> statement-breakpoint
CREATE TABLE `block_type` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`name` text NOT NULL,
	`slug` text NOT NULL,
	`logo_url` text,
	`documentation_url` text,
	`description` text,
	`code_example` text,
	`is_protected` integer NOT NULL,
	`is_system` integer NOT NULL,
	`deleted` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `block_type_by_slug` ON `block_type` (`workspace_id`,`slug`);--> statement-breakpoint
CREATE TABLE `configuration` (
	`workspace_id` text NOT NULL,
	`key` text NOT NULL,
	`value` text NOT NULL,
	PRIMARY KEY(`workspace_id`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `saved_search` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`name` text NOT NULL,
	`filters` text NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `saved_search_by_name` ON `saved_search` (`workspace_id`,`name`);--> statement-breakpoint
CREATE TABLE `task_cache` (
	`workspace_id` text NOT NULL,
	`cache_key` text NOT NULL,
	`cache_expiration` text,
	`state` text NOT NULL,
	PRIMARY KEY(`workspace_id`, `cache_key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `variable` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`name` text NOT NULL,
	`value` text NOT NULL,
	`tags` text NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `variable_by_name` ON `variable` (`workspace_id`,`name`);--> statement-breakpoint
ALTER TABLE `deployment` ADD `storage_document_id` text;--> statement-breakpoint
ALTER TABLE `deployment` ADD `infrastructure_document_id` text;