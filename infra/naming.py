"""One rule for every name in the cloud: `<owner>-<role>`, cut with a digest of the whole where the service's limit is
shorter.

Names are deterministic because functions, queues and accounts refer to each other before they exist. The connection's
queues are named `<connection>-chunks` and `<connection>-events` as the functions expect them; nothing else out there
guesses a name.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

# The platform's limits. A Run service may have 63, but its predictable address `<service>-<project
# number>.<region>.run.app` is only given while that label fits 63: 49 leaves room for a number of 13 digits.
ACCOUNT_LIMIT = 30
FUNCTION_LIMIT = 49
QUEUE_LIMIT = 100
OTHER_LIMIT = 63  # buckets, databases, repositories, topics, addresses


def fit(name: str, limit: int) -> str:
    """Return the name, or its beginning and six digits of its digest where it is longer than `limit`."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: limit - 7].rstrip('-')}-{digest}"


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens; what isn't becomes a hyphen (stack names may hold dots and capitals)."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@dataclass(frozen=True, slots=True)
class StackNames:
    """Names of what a stack has once. They hold the stack's name, so that two stacks can share a project."""

    project: str
    stack: str

    @property
    def repository(self) -> str:
        return fit(f"sms-connector-{slug(self.stack)}", OTHER_LIMIT)

    @property
    def source_bucket(self) -> str:
        """Bucket names are one space for all of Google Cloud: the project's id makes it ours."""
        return fit(f"{slug(self.project)}-sms-connector-{slug(self.stack)}", OTHER_LIMIT)

    @property
    def build_account(self) -> str:
        return fit(f"sms-build-{slug(self.stack)}", ACCOUNT_LIMIT)


@dataclass(frozen=True, slots=True)
class ConnectionNames:
    """Names of what each connection has. A connection's name is unique in its project."""

    connection: str

    @property
    def database(self) -> str:
        return fit(f"{self.connection}-ledger", OTHER_LIMIT)

    def function(self, role: str) -> str:
        return fit(f"{self.connection}-{role}", FUNCTION_LIMIT)

    def account(self, role: str) -> str:
        return fit(f"{self.connection}-{role}", ACCOUNT_LIMIT)

    def secret(self, name: str) -> str:
        return f"{self.connection}-{name}"

    def queue(self, role: str) -> str:
        return fit(f"{self.connection}-{role}", QUEUE_LIMIT)

    def rotation(self, secret: str) -> str:
        """Return the inbox of a secret's rotation notices. Subscriptions may have 255 characters."""
        return f"{self.other('rotation')}-{secret}"

    def other(self, role: str) -> str:
        """Topics, metrics, addresses and the like: the narrowest limit among them is 63."""
        return fit(f"{self.connection}-{role}", OTHER_LIMIT)


def function_address(name: str, project_number: str, region: str) -> str:
    """Return the address a function of this name has, known before it exists.

    Source: https://cloud.google.com/run/docs/triggering/https-request#deterministic
    """
    return f"https://{name}-{project_number}.{region}.run.app"
