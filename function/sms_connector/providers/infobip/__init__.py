"""Infobip SMS (API version 3)."""
