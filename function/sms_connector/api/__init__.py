"""Our HTTP surface: `entry.build_api(services)` is the private one, `webhook.build_webhook(parts)` the public one."""
