"""What Google's agent kit sends and reads: the v1 metadata of a connection, and the integration that executes.

Source: google-adk 2.13.0 (connections_client, integration_client), recorded unchanged; the `connectors` v1 discovery
document.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sms_connector.api.schemas.entity import ConfigQuery, ListQuery, Object, Whole
from sms_connector.errors import FieldProblem, InvalidRequest


class MetadataQuery(ConfigQuery):
    """What is described."""

    view: str = ""
    entity_id: str = ""
    action_id: str = ""


class RuntimeSchemaQuery(ListQuery):
    """Which schemas: `filter` is `entity="Messages"` or `action="SendMessage"`."""

    filter: str = ""
    view: str = ""
    schema_as_string: bool = False


class TriggerQuery(ConfigQuery):
    """The trigger is not checked: some versions of the kit lose it (github.com/google/adk-python issues 4555, 4598)."""

    trigger_id: str = ""


class ExecuteBody(msgspec.Struct, rename="camel"):
    """One operation of an agent. `service_name` and `host` are ignored."""

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


def write_connection(
    name: str,
    *,
    version: str,
    nodes: tuple[int | None, int | None],
    description: str,
    labels: dict[str, str],
    state: str,
    why: str,
) -> Object:
    """Write a v1 Connection. The kit needs its texts, which may be empty but never null."""
    least, most = nodes
    known = {} if least is None or most is None else {"nodeConfig": {"minNodeCount": least, "maxNodeCount": most}}
    return {
        **known,
        "name": name,
        "connectorVersion": version,
        "description": description,
        "labels": labels,
        "serviceDirectory": "",
        "host": "",
        "tlsServiceDirectory": "",
        "authOverrideEnabled": False,
        "suspended": state == "INACTIVE",
        "status": {"state": state, "description": why},
    }


def read_filter(text: str, field: str) -> str | None:
    """Read the name that `field="name"` asks for; None without a filter. Raises InvalidRequest."""
    if not text.strip():
        return None
    found = re.fullmatch(rf"""\s*{field}\s*=\s*(["']?)([^"']+?)\1\s*""", text)
    if found is None:
        raise InvalidRequest(FieldProblem("filter", f'is of the form {field}="name"'))
    return found[2]


def write_runtime_entity(written: Object) -> Object:
    """Write an EntityType of version 2 as a RuntimeEntitySchema of version 1."""
    return {
        "entity": written["name"],
        "fields": [_rename(each, "field") for each in written["fields"]],
        "operations": written["operations"],
        "jsonSchema": written["jsonSchema"],
    }


def write_runtime_action(written: Object, *, as_text: bool) -> Object:
    """Write an Action of version 2 as a RuntimeActionSchema of version 1."""
    texts = {
        f"{each}SchemaAsString": msgspec.json.encode(written[f"{each}JsonSchema"]).decode()
        for each in ("input", "result")
        if as_text
    }
    return {
        **{"action" if name == "name" else name: value for name, value in written.items()},
        "inputParameters": [_rename(each, "parameter") for each in written["inputParameters"]],
        "resultMetadata": [_rename(each, "field") for each in written["resultMetadata"]],
        **texts,
    }


def _rename(written: Object, name: str) -> Object:
    rest = {key: value for key, value in written.items() if key != "name"}
    return {**rest, name: written["name"], "dataType": f"DATA_TYPE_{written['dataType']}"}
