"""A simulator of a customer's own endpoint: the custom channel."""
