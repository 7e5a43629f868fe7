ALTER TABLE `deployment` ADD `concurrency_key` text;--> statement-breakpoint
ALTER TABLE `deployment` ADD `max_waiting_runs` integer;--> statement-breakpoint
ALTER TABLE `deployment` ADD `start_within_seconds` integer;--> statement-breakpoint
ALTER TABLE `deployment_schedule` ADD `missed_runs` text;--> statement-breakpoint
ALTER TABLE `worker` ADD `doorbell_since` text;--> statement-breakpoint
ALTER TABLE `worker` ADD `doorbell_queues` text;--> statement-breakpoint
ALTER TABLE `flow_run` ADD `concurrency_key` text;--> statement-breakpoint
ALTER TABLE `flow_run` ADD `start_before` text;