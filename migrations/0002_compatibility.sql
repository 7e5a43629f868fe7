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
CREATE UNIQUE INDEX `variable_by_name` ON `variable` (`workspace_id`,`name`);