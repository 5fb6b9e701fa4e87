"""Twilio's 2010 API, the senders of its messaging services, and the auth token calls of accounts.twilio.com."""
