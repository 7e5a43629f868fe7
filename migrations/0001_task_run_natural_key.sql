DROP INDEX `task_run_by_flow_run`;--> statement-breakpoint
CREATE INDEX `task_run_by_natural_key` ON `task_run` (`workspace_id`,`flow_run_id`,`task_key`,`dynamic_key`);