"""A custom channel: an endpoint of the customer's own, called in the documents of Customer Insights - Journeys."""
