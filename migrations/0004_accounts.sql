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
	`workspace_id` text NOT NULL,
	`email` text NOT NULL,
	`role` text NOT NULL,
	`created_by` text NOT NULL,
	`expires` text NOT NULL,
	`accepted` text,
	`revoked` text,
	FOREIGN KEY (`account_id`) REFERENCES `account`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`workspace_id`) REFERENCES `workspace`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `invitation_by_workspace` ON `invitation` (`workspace_id`);--> statement-breakpoint
CREATE INDEX `invitation_by_email` ON `invitation` (`email`);--> statement-breakpoint
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
CREATE INDEX `service_account_by_account` ON `service_account` (`account_id`);--> statement-breakpoint
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
CREATE TABLE `attempt` (
	`key` text PRIMARY KEY NOT NULL,
	`count` integer NOT NULL,
	`ends` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `attempt_by_end` ON `attempt` (`ends`);--> statement-breakpoint
CREATE TABLE `login` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`provider_id` text NOT NULL,
	`account_id` text NOT NULL,
	`password` text,
	`access_token` text,
	`refresh_token` text,
	`id_token` text,
	`access_token_expires` integer,
	`refresh_token_expires` integer,
	`scope` text,
	`created` integer NOT NULL,
	`updated` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `login_by_user` ON `login` (`user_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `login_by_account` ON `login` (`provider_id`,`account_id`);--> statement-breakpoint
CREATE TABLE `outbox_mail` (
	`id` text PRIMARY KEY NOT NULL,
	`created` text NOT NULL,
	`recipient` text NOT NULL,
	`subject` text NOT NULL,
	`body` text NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `session` (
	`id` text PRIMARY KEY NOT NULL,
	`token` text NOT NULL,
	`user_id` text NOT NULL,
	`expires` integer NOT NULL,
	`ip_address` text,
	`user_agent` text,
	`created` integer NOT NULL,
	`updated` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `session_token_unique` ON `session` (`token`);--> statement-breakpoint
CREATE INDEX `session_by_user` ON `session` (`user_id`);--> statement-breakpoint
CREATE TABLE `setup_link` (
	`token_hash` text PRIMARY KEY NOT NULL,
	`account_id` text NOT NULL,
	`created` text NOT NULL,
	`expires` text NOT NULL,
	`used` text
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `user` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`email` text NOT NULL,
	`email_verified` integer NOT NULL,
	`image` text,
	`created` integer NOT NULL,
	`updated` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `user_email_unique` ON `user` (`email`);--> statement-breakpoint
CREATE TABLE `verification` (
	`id` text PRIMARY KEY NOT NULL,
	`identifier` text NOT NULL,
	`value` text NOT NULL,
	`expires` integer NOT NULL,
	`created` integer NOT NULL,
	`updated` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `verification_by_identifier` ON `verification` (`identifier`);--> statement-breakpoint
CREATE TABLE `workspace_key` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`created` text NOT NULL,
	`wrapped` text NOT NULL,
	`wrapped_by` text NOT NULL,
	`retired` text,
	PRIMARY KEY(`workspace_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
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
CREATE INDEX `api_key_by_owner` ON `api_key` (`owner_id`);--> statement-breakpoint
ALTER TABLE `deployment` ADD `signature` text;