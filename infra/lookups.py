"""Lookups of what exists in the cloud, repeated in every run."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import pulumi_gcp as gcp

import google_api

# What says "there is none": no such resource, no version in it, or (a fresh project) its API isn't on yet.
ABSENT = re.compile(r"\b404\b|not ?found|has not been used|SERVICE_DISABLED|is disabled", re.IGNORECASE)
DIGEST, ATTEMPT = "SOURCE_DIGEST", "SOURCE_ATTEMPT"


class Newest(Enum):
    """What the newest version of a secret, which functions mount, is."""

    NONE = "no version"
    ENABLED = "enabled"
    DISABLED = "disabled or destroyed"


@dataclass(frozen=True, slots=True)
class Lookups:
    """The questions. Any failure but "there is none" is raised: guessing would unmount a secret that is in use."""

    newest_version: Callable[[str, str], Newest]
    has_database: Callable[[str, str], bool]
    has_function: Callable[[str, str, str], bool]
    reaches_google: Callable[[str], bool]
    build_variables: Callable[[str, str, str, str], dict[str, str]]


def newest_version(project: str, secret: str) -> Newest:
    """Look up the newest version of a secret, without its value."""
    try:
        found = gcp.secretmanager.get_secret_version(project=project, secret=secret, fetch_secret_data=False)
    except Exception as failure:
        if ABSENT.search(str(failure)):
            return Newest.NONE
        raise
    return Newest.ENABLED if found.enabled else Newest.DISABLED


def has_database(project: str, database: str) -> bool:
    """Return True if the database is there. The provider plugin has no function that says so."""
    token = str(gcp.organizations.get_client_config().access_token)
    status, answer = google_api.call("firestore", "GET", f"projects/{project}/databases/{database}", token=token)
    if status < 400:
        return True
    why = f"{status} {google_api.message(answer)}"
    if ABSENT.search(why):
        return False
    raise RuntimeError(f"the Firestore database {database} can't be looked up: {why}")


def has_function(project: str, region: str, function: str) -> bool:
    """Return True if the function is there, in whatever state."""
    return _function(project, region, function) is not None


def reaches_google(subnetwork: str) -> bool:
    """Return True if an existing subnetwork, given by its full name, has Private Google Access. One that can't be read
    is taken to have it: in a Shared VPC the deployer may not see it."""
    _, project, _, region, _, name = subnetwork.split("/")
    try:
        found = gcp.compute.get_subnetwork(project=project, region=region, name=name)
    except Exception as failure:
        if ABSENT.search(str(failure)) or "403" in str(failure):
            return True
        raise
    return bool(found.private_ip_google_access)


def build_variables(project: str, region: str, function: str, digest: str) -> dict[str, str]:
    """Return the variables of a function's build: the digest of what it is built from, and the mark of the attempt.

    The provider never reads a function's source back, and after an update that failed it takes the wanted state for the
    real one: the next update would report success and send nothing. So where a function isn't what is wanted, the mark
    is a new one, and everything is sent again; where it is, the mark stays, and nothing changes.
    """
    found = _function(project, region, function)
    builds = found.build_configs if found and found.state == "ACTIVE" else []
    held: Mapping[str, str] = builds[0].environment_variables if builds else {}
    mark = held.get(ATTEMPT) if held.get(DIGEST) == digest else None
    return {DIGEST: digest, ATTEMPT: mark or secrets.token_hex(4)}


def _function(project: str, region: str, function: str) -> gcp.cloudfunctionsv2.GetFunctionResult | None:
    try:
        return gcp.cloudfunctionsv2.get_function(project=project, location=region, name=function)
    except Exception as failure:
        if ABSENT.search(str(failure)):
            return None
        raise


FROM_CLOUD = Lookups(newest_version, has_database, has_function, reaches_google, build_variables)
