"""The labels on everything that takes labels."""

from __future__ import annotations

from collections.abc import Mapping

OWN = {"application": "sms-connector", "managed-by": "pulumi"}


def own_labels(connection: str = "", more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, the connection's name, and the company's."""
    return {**(more or {}), **OWN, **({"connection": connection} if connection else {})}
