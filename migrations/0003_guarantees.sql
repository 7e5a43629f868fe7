ALTER TABLE `worker` ADD `doorbell_since` text;--> statement-breakpoint
ALTER TABLE `worker` ADD `doorbell_queues` text;