"""Regions in which the functions can run: a misspelled one would fail only once accounts and secrets are there.

Source: https://cloud.google.com/functions/docs/locations (2nd gen). A region that Google opened since is one word more here.
"""

from __future__ import annotations

import difflib

_AREAS = {
    "africa": "south1",
    "asia": "east1 east2 northeast1 northeast2 northeast3 south1 south2 southeast1 southeast2 southeast3",
    "australia": "southeast1 southeast2",
    "europe": "central2 north1 north2 southwest1 west1 west2 west3 west4 west6 west8 west9 west10 west12",
    "me": "central1 central2 west1",
    "northamerica": "northeast1 northeast2 south1",
    "southamerica": "east1 west1",
    "us": "central1 east1 east4 east5 south1 west1 west2 west3 west4",
}
REGIONS = frozenset(f"{area}-{place}" for area, places in _AREAS.items() for place in places.split())


def nearest(region: str) -> str:
    """The region that was probably meant."""
    return next(iter(difflib.get_close_matches(region, sorted(REGIONS), n=1)), "us-central1")
