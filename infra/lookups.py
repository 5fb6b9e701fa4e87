"""What has to be known of the cloud before it can be said what it should be. Two questions, asked anew in every run."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pulumi_gcp as gcp

# What says "there is none": no such resource, no version in it, or (a fresh project) its API isn't on yet.
ABSENT = re.compile(r"\b404\b|not ?found|has not been used|SERVICE_DISABLED|is disabled", re.IGNORECASE)
DIGEST, ATTEMPT = "SOURCE_DIGEST", "SOURCE_ATTEMPT"


@dataclass(frozen=True, slots=True)
class Lookups:
    """The two questions. Any failure but "there is none" is raised: guessing would unmount a secret that is in use."""

    has_version: Callable[[str, str], bool]
    build_variables: Callable[[str, str, str, str], dict[str, str]]


def has_version(project: str, secret: str) -> bool:
    """Whether Secret Manager holds a version of the secret. Its value is not read."""
    try:
        found = gcp.secretmanager.get_secret_version(project=project, secret=secret, fetch_secret_data=False)
    except Exception as failure:
        if ABSENT.search(str(failure)):
            return False
        raise
    return bool(found.name)


def build_variables(project: str, region: str, function: str, digest: str) -> dict[str, str]:
    """The variables of a function's build: the digest of what it is built from, and the mark of the attempt.

    The provider never reads a function's source back, and after an update that failed it takes the wanted state for the real one:
    the next update would report success and send nothing. So where a function isn't what is wanted, the mark is a new one, and
    everything is sent again; where it is, the mark stays, and nothing changes.
    """
    held = _held_variables(project, region, function)
    mark = held.get(ATTEMPT) if held.get(DIGEST) == digest else None
    return {DIGEST: digest, ATTEMPT: mark or secrets.token_hex(4)}


def _held_variables(project: str, region: str, function: str) -> Mapping[str, str]:
    """What the function was built with; nothing where there is none, or where it is not in working order."""
    try:
        found = gcp.cloudfunctionsv2.get_function(project=project, location=region, name=function)
    except Exception as failure:
        if ABSENT.search(str(failure)):
            return {}
        raise
    builds = found.build_configs if found.state == "ACTIVE" else []
    return builds[0].environment_variables if builds else {}


FROM_CLOUD = Lookups(has_version, build_variables)
