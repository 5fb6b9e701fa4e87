"""What Google's agent kit sends and reads: the v1 metadata of a connection, and the integration that executes.

Source: google-adk 2.13.0 (connections_client, integration_client), recorded unchanged; the `connectors` v1 discovery
document.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sms_connector.api.schemas.entity import ConfigQuery, Object, Whole


class MetadataQuery(ConfigQuery):
    view: str = ""
    entity_id: str = ""
    action_id: str = ""


class TriggerQuery(ConfigQuery):
    """The trigger is not checked: some versions of the kit lose it (github.com/google/adk-python issues 4555, 4598)."""

    trigger_id: str = ""


class ExecuteBody(msgspec.Struct, rename="camel"):
    """One operation. `service_name` and `host` are ignored."""

    operation: str
    connection_name: str
    entity: str | None = None
    action: str | None = None
    entity_id: str | None = None
    connector_input_payload: Object | None = None
    filter_clause: str | None = None
    page_size: Whole | None = None
    page_token: str | None = None
    sort_by_columns: list[str] | None = None
    query: str | None = None
    timeout: Whole | None = None
    dynamic_auth_config: Any = None


def write_connection(name: str, *, description: str, labels: dict[str, str], state: str, why: str) -> Object:
    """Write a v1 Connection. The kit needs its texts, which may be empty but never null."""
    return {
        "name": name,
        "description": description,
        "labels": labels,
        "serviceDirectory": "",
        "host": "",
        "tlsServiceDirectory": "",
        "authOverrideEnabled": False,
        "suspended": state == "INACTIVE",
        "status": {"state": state, "description": why},
    }
