"""Whether a secret has a version already, without reading it."""

from __future__ import annotations

import re

import pulumi_gcp as gcp

# What says "there is none": no such secret, no version in it, or (a fresh project) Secret Manager isn't on yet.
ABSENT = re.compile(r"\b404\b|not ?found|has not been used|SERVICE_DISABLED|is disabled", re.IGNORECASE)


def has_version(project: str, secret: str) -> bool:
    """True where Secret Manager holds a version. Any failure but "there is none" is raised: guessing would unmount a secret."""
    try:
        found = gcp.secretmanager.get_secret_version(project=project, secret=secret, fetch_secret_data=False)
    except Exception as failure:
        if ABSENT.search(str(failure)):
            return False
        raise
    return bool(found.name)
