CREATE TABLE `account_member` (
	`account_id` text NOT NULL,
	`user_id` text NOT NULL,
	`role` text NOT NULL,
	`created` text NOT NULL,
	PRIMARY KEY(`account_id`, `user_id`),
	FOREIGN KEY (`account_id`) REFERENCES `account`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `account_member_by_user` ON `account_member` (`user_id`);--> statement-breakpoint
CREATE TABLE `invitation` (
	`id` text PRIMARY KEY NOT NULL,
	`created` text NOT NULL,
	`account_id` text NOT NULL,
	`email` text NOT NULL,
	`role` text NOT NULL,
	`workspace_id` text,
	`workspace_role` text,
	`token_hash` text NOT NULL,
	`created_by` text NOT NULL,
	`expires` text NOT NULL,
	`accepted` text,
	`revoked` text,
	FOREIGN KEY (`account_id`) REFERENCES `account`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `invitation_by_token` ON `invitation` (`token_hash`);--> statement-breakpoint
CREATE INDEX `invitation_by_account` ON `invitation` (`account_id`);--> statement-breakpoint
CREATE TABLE `service_account` (
	`id` text PRIMARY KEY NOT NULL,
	`created` text NOT NULL,
	`updated` text NOT NULL,
	`account_id` text NOT NULL,
	`name` text NOT NULL,
	`created_by` text NOT NULL,
	FOREIGN KEY (`account_id`) REFERENCES `account`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `service_account_by_name` ON `service_account` (`account_id`,`name`);--> statement-breakpoint
CREATE TABLE `workspace_member` (
	`workspace_id` text NOT NULL,
	`member_kind` text NOT NULL,
	`member_id` text NOT NULL,
	`role` text NOT NULL,
	`created` text NOT NULL,
	PRIMARY KEY(`workspace_id`, `member_kind`, `member_id`),
	FOREIGN KEY (`workspace_id`) REFERENCES `workspace`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `workspace_member_by_member` ON `workspace_member` (`member_kind`,`member_id`);--> statement-breakpoint
PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_api_key` (
	`hash` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`kind` text DEFAULT 'workspace' NOT NULL,
	`workspace_id` text,
	`owner_id` text,
	`name` text NOT NULL,
	`hint` text NOT NULL,
	`scopes` text,
	`work_pool_ids` text,
	`created_by` text,
	`expires` text,
	`revoked` text,
	`last_used` text,
	FOREIGN KEY (`workspace_id`) REFERENCES `workspace`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO `__new_api_key` (`hash`, `id`, `created`, `workspace_id`, `name`, `hint`, `expires`, `revoked`)
SELECT `hash`, `id`, `created`, `workspace_id`, `name`, `hint`, `expires`, `revoked` FROM `api_key`;--> statement-breakpoint
DROP TABLE `api_key`;--> statement-breakpoint
ALTER TABLE `__new_api_key` RENAME TO `api_key`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE UNIQUE INDEX `api_key_by_id` ON `api_key` (`id`);--> statement-breakpoint
CREATE INDEX `api_key_by_workspace` ON `api_key` (`workspace_id`);--> statement-breakpoint
CREATE INDEX `api_key_by_owner` ON `api_key` (`owner_id`);