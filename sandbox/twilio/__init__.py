"""Twilio's 2010 API, messaging part, and the auth token calls of accounts.twilio.com."""
