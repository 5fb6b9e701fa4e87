"""Telesign's SMS API (`/v1/messaging`)."""
