"""Vibes Connect's HTTP Message API on loopback: messages, bundles, receipts and inbound messages, in XML."""
