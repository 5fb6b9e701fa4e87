"""Vibes Connect (HTTP Message API 3.x)."""
