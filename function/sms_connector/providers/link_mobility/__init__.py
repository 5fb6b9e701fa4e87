"""LINK Mobility's "Common" API: SMS REST API (MT/DLR 1.18, MO 1.7) and Gate API 1.2."""
