"""Regions in which everything that a stack makes can be: a wrong one would fail only once accounts and secrets are
there.

Sources: https://cloud.google.com/functions/docs/locations (2nd gen) for the functions, and
https://cloud.google.com/about/locations for the rest. Firestore, Artifact Registry, Secret Manager, Pub/Sub and Storage
are in every region that has functions. Cloud Tasks and Cloud Scheduler are in those that App Engine is in. A region
that Google opened since is one word more here.
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
_APP_ENGINE = {
    "asia": "east1 east2 northeast1 northeast2 northeast3 south1 southeast1 southeast2",
    "australia": "southeast1",
    "europe": "central2 west1 west2 west3 west6",
    "northamerica": "northeast1",
    "southamerica": "east1",
    "us": "central1 east1 east4 west1 west2 west3 west4",
}


def _named(areas: dict[str, str]) -> frozenset[str]:
    return frozenset(f"{area}-{place}" for area, places in areas.items() for place in places.split())


FUNCTIONS = _named(_AREAS)
BY_SERVICE = {"Cloud Tasks": _named(_APP_ENGINE), "Cloud Scheduler": _named(_APP_ENGINE)}
REGIONS = FUNCTIONS.intersection(*BY_SERVICE.values())


def lacking(region: str) -> list[str]:
    """Name the services that a region with functions does not have."""
    return [service for service, regions in BY_SERVICE.items() if region in FUNCTIONS and region not in regions]


def nearest(region: str) -> str:
    """Guess the region that was meant, or the one closest by name that has every service."""
    guesses = difflib.get_close_matches(region, sorted(REGIONS), n=1)
    neighbours = [known for known in sorted(REGIONS) if known.partition("-")[0] == region.partition("-")[0]]
    return next(iter((*guesses, *neighbours)), "us-central1")
