"""Twilio's data beside messages: calls, recordings, numbers, conferences, usage and the rest, from its own description."""
