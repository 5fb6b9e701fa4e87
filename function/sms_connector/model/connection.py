"""What is known of the connection to a provider."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ConnectionState(StrEnum):
    """As Google's Integration Connectors name them."""

    ACTIVE = "ACTIVE"
    AUTH_ERROR = "AUTH_ERROR"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """The answer of a connection test: data, never an exception."""

    state: ConnectionState
    description: str
