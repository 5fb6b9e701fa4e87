"""The deployer with the roles of docs/permissions.md and nothing else."""

from __future__ import annotations

import re

from tests.infra.fake_google import permissions
from tests.infra.harness import ROOT

PAGE = (ROOT / "docs" / "permissions.md").read_text().split("## What the deployer holds")[1]


def roles() -> list[str]:
    """Every role of the page's table."""
    rows = PAGE.split("| role | why |\n|---|---|\n")[1].split("\n\n")[0]
    return re.findall(r"`(roles/[\w.]+)`", "\n".join(row.split("|")[1] for row in rows.splitlines()))


def custom() -> list[str]:
    """The permissions of the page's own role."""
    command = PAGE.split("gcloud iam roles create")[1].split("```")[0]
    return re.findall(r"\w+(?:\.\w+){2}", command)


def documented() -> frozenset[str]:
    return permissions.held(roles(), custom())
