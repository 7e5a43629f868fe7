CREATE TABLE `enrolment` (
	`hash` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`workspace_id` text NOT NULL,
	`name` text NOT NULL,
	`hint` text NOT NULL,
	`work_pool_ids` text NOT NULL,
	`created_by` text NOT NULL,
	`expires` text NOT NULL,
	`max_uses` integer NOT NULL,
	`uses` integer NOT NULL,
	`key_seconds` integer NOT NULL,
	`revoked` text,
	FOREIGN KEY (`workspace_id`) REFERENCES `workspace`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `enrolment_by_workspace` ON `enrolment` (`workspace_id`);--> statement-breakpoint
CREATE TABLE `audit_entry` (
	`scope_id` text NOT NULL,
	`id` text NOT NULL,
	`occurred` text NOT NULL,
	`account_id` text NOT NULL,
	`workspace_id` text,
	`actor_kind` text NOT NULL,
	`actor_id` text,
	`actor_name` text,
	`key_id` text,
	`key_hint` text,
	`address` text,
	`user_agent` text,
	`operation` text NOT NULL,
	`outcome` text NOT NULL,
	`object_kind` text NOT NULL,
	`object_id` text,
	`object_name` text,
	`before` text,
	`after` text,
	`request_id` text,
	PRIMARY KEY(`scope_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `deletion` (
	`id` text PRIMARY KEY NOT NULL,
	`created` text NOT NULL,
	`account_id` text NOT NULL,
	`workspace_id` text,
	`asked_by` text NOT NULL,
	`objects` integer NOT NULL,
	`rows` integer NOT NULL,
	`message` text,
	`finished` text
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `deletion_by_account` ON `deletion` (`account_id`);--> statement-breakpoint
CREATE TABLE `erased_workspace` (
	`workspace_id` text PRIMARY KEY NOT NULL,
	`since` text NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `passkey` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text,
	`public_key` text NOT NULL,
	`user_id` text NOT NULL,
	`credential_id` text NOT NULL,
	`counter` integer NOT NULL,
	`device_type` text NOT NULL,
	`backed_up` integer NOT NULL,
	`transports` text,
	`created` integer,
	`aaguid` text,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `passkey_credential_id_unique` ON `passkey` (`credential_id`);--> statement-breakpoint
CREATE INDEX `passkey_by_user` ON `passkey` (`user_id`);--> statement-breakpoint
CREATE TABLE `second_factor` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`secret` text NOT NULL,
	`backup_codes` text NOT NULL,
	`verified` integer,
	`failed_verification_count` integer DEFAULT 0,
	`locked_until` integer,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `second_factor_user_id_unique` ON `second_factor` (`user_id`);--> statement-breakpoint
CREATE TABLE `usage_day` (
	`workspace_id` text NOT NULL,
	`day` text NOT NULL,
	`flow_runs` integer NOT NULL,
	`task_runs` integer NOT NULL,
	`events` integer NOT NULL,
	`log_bytes` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `day`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `usage_month` (
	`account_id` text NOT NULL,
	`month` text NOT NULL,
	`flow_runs` integer NOT NULL,
	`task_runs` integer NOT NULL,
	`events` integer NOT NULL,
	`log_bytes` integer NOT NULL,
	PRIMARY KEY(`account_id`, `month`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `usage_source` (
	`workspace_id` text NOT NULL,
	`source` text NOT NULL,
	`flow_runs` integer NOT NULL,
	`task_runs` integer NOT NULL,
	`events` integer NOT NULL,
	`log_bytes` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `source`)
) WITHOUT ROWID;
--> statement-breakpoint
ALTER TABLE `account` ADD `plan` text;--> statement-breakpoint
ALTER TABLE `account` ADD `limits` text;--> statement-breakpoint
ALTER TABLE `api_key` ADD `enrolment_id` text;--> statement-breakpoint
ALTER TABLE `user` ADD `two_factor_enabled` integer DEFAULT false;--> statement-breakpoint
ALTER TABLE `variable` ADD `secret` integer;