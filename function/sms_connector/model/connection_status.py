"""The state of the connection to a provider."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ConnectionState(StrEnum):
    """As Google's Integration Connectors name them."""

    ACTIVE = "ACTIVE"
    AUTH_ERROR = "AUTH_ERROR"
    ERROR = "ERROR"


class ConnectionStatus(msgspec.Struct, frozen=True):
    """The answer of a connection test: data, never an exception."""

    state: ConnectionState
    description: str
