"""Our wire: the one place that knows our field names, ways in (requests → domain) and ways out (domain → answers)."""
