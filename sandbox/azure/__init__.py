"""Azure Communication Services: SMS, opt-outs, delivery reports, and the Event Grid subscriptions that call back."""
