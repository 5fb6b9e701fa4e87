"""Azure Communication Services SMS (REST API version 2026-01-23), with Event Grid for what comes back."""
