"""A simulator of Telesign's SMS API."""
