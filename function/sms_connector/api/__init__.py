"""Our HTTP surface: `dispatcher.build_api` builds the private one, `resources.webhook.WebhookFunction` the public one."""
