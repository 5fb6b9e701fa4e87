"""LINK Mobility's Common API on loopback: SMS REST API (MT and delivery reports, MO), OAuth tokens, Gate API."""
