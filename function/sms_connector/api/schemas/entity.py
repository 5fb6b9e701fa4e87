"""Google's Integration Connectors on the wire, version 2: requests, and answers as their clients read them.

Source: the discovery document `connectors` v2, revision 20260617.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sms_connector.api.schemas.base import MAX_PAGE_SIZE, PAGE_SIZE
from sms_connector.entity import OPERATIONS, Action, Column, EntityType, Row
from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model import typed

# A JSON schema's type of each data type. Standard ones only: others made connectors unusable for agents
# (github.com/google/adk-python issues 3107 and 3108).
_JSON_TYPES = {"INTEGER": "integer", "DECIMAL": "number", "BOOLEAN": "boolean", "STRUCT": "object", "ARRAY": "array"}
_FORMATS = {"DATE": "date", "TIMESTAMP": "date-time"}
# https://cloud.google.com/apis/docs/system-parameters; accepted, never logged, and of no effect. `callback` is refused.
STANDARD = {
    "alt": "json, which every answer is.",
    "fields": "Accepted; answers are whole.",
    "key": "Accepted and never used.",
    "access_token": "Accepted and never used.",
    "oauth_token": "Accepted and never used.",
    "prettyPrint": "Accepted; answers are compact.",
    "quotaUser": "Accepted.",
    "uploadType": "Accepted.",
    "upload_protocol": "Accepted.",
    "$.xgafv": "Accepted.",
}
Object = dict[str, Any]
# A 64-bit number is a text on Google's wire, and 50.0 is a whole number to agents.
Whole = (
    Annotated[int, Meta(ge=0)]
    | Annotated[float, Meta(ge=0, multiple_of=1)]
    | Annotated[str, Meta(pattern=r"^[0-9]{1,9}$")]
)


class ConfigQuery(msgspec.Struct, rename="camel"):
    """What every method takes."""

    headers: Annotated[str, Meta(description="Accepted; the connection's credentials are used.")] = msgspec.field(
        name="executionConfig.headers", default=""
    )


class ListQuery(ConfigQuery):
    page_size: Annotated[int, Meta(ge=0)] = 0
    page_token: str = ""


class ViewQuery(ListQuery):
    view: str = ""
    context_metadata: str = ""


class ToolQuery(ListQuery):
    tool_names: list[str] = msgspec.field(default_factory=list)


class EntityQuery(ListQuery):
    conditions: str = ""
    sort_by: list[str] = msgspec.field(default_factory=list)
    sort_order: list[str] = msgspec.field(default_factory=list)


class ConditionQuery(ConfigQuery):
    conditions: str = ""


class ExecutionConfig(msgspec.Struct, rename="camel"):
    """Accepted; the connection's credentials are used."""

    headers: str = ""


class EntityBody(msgspec.Struct, rename="camel"):
    """An entity: its fields."""

    fields: Object = msgspec.field(default_factory=dict)
    name: str = ""
    metadata: Object | None = None


class ActionBody(msgspec.Struct, rename="camel"):
    """What an action takes, by the names of its inputs."""

    parameters: Object = msgspec.field(default_factory=dict)
    execution_config: ExecutionConfig | None = None


class ToolBody(ActionBody):
    """What a tool takes, by the names of its arguments."""

    tool_definition: Object | None = None


class ToolsBody(msgspec.Struct, rename="camel"):
    """Which tools are listed; without names the general ones."""

    page_size: Annotated[int, Meta(ge=0)] = 0
    page_token: str = ""
    tool_names: list[str] = msgspec.field(default_factory=list)
    execution_config: ExecutionConfig | None = None
    tool_spec: Object | None = None


class ToolName(msgspec.Struct, rename="camel"):
    """A tool: its name, or an entity type and an operation."""

    name: str = ""
    entity_name: str = ""
    operation: str = ""


class ToolNamesBody(msgspec.Struct, rename="camel"):
    """The tools whose definitions are wanted."""

    tool_names: list[ToolName] = msgspec.field(default_factory=list)


class SqlParameter(msgspec.Struct, rename="camel"):
    """The value of one `?`."""

    value: str | int | float | bool | None = None
    data_type: str = ""


class SqlQuery(msgspec.Struct, rename="camel"):
    """One SELECT, its limits (`timeout` in seconds) and the values of its `?`."""

    query: str
    max_rows: Whole = 0
    timeout: Whole = 0
    query_parameters: list[SqlParameter] = msgspec.field(default_factory=list)


class SqlBody(msgspec.Struct, rename="camel"):
    """One SELECT over the entity types."""

    query: SqlQuery
    execution_config: ExecutionConfig | None = None


class AnyBody(msgspec.Struct, rename="camel"):
    """The body of a method that is refused."""


def read_whole(given: Mapping[str, Any], name: str) -> int:
    """Read a number of an action's or a tool's arguments; 0 where it is not given. Raises InvalidRequest."""
    wanted: Any = Whole
    try:
        return int(typed.convert(given.get(name) or 0, wanted))
    except msgspec.ValidationError:
        raise InvalidRequest(FieldProblem(f"parameters.{name}", "must be a whole number, 0 or more")) from None


def page_size(asked: int) -> int:
    return min(asked or PAGE_SIZE, MAX_PAGE_SIZE)


# --- types ------------------------------------------------------------------------------------------------------------


def write_type(entity: EntityType, *, fields: bool = True, enriched: bool = False) -> Object:
    """Write an EntityType; BASIC of a list has names only."""
    if not fields:
        return {"name": entity.name}
    columns = [column for column in entity.columns if not column.filter_only]
    return {
        "name": entity.name,
        "fields": [_write_field(entity, column, enriched=enriched) for column in columns],
        "operations": [operation for operation in OPERATIONS if operation in entity.operations],
        "jsonSchema": _write_schema({column.name: _write_column(column, entity) for column in columns}),
    }


def _write_field(entity: EntityType, column: Column, *, enriched: bool) -> Object:
    field: Object = {
        "name": column.name,
        "description": describe(column, entity),
        "dataType": column.type,
        "key": column.name in entity.key,
        "nullable": column.name not in entity.key,
    }
    if enriched:
        details = {
            "filters": [each.op for each in column.filters] or None,
            "enum": list(column.enum) or None,
            "writeOnly": column.write_only or None,
            "create": column.create is not None or None,
            "update": column.update is not None or None,
            "requiredOnCreate": (column.create is not None and column.create.required) or None,
            "risk": dict(entity.risk) or None,
        }
        field["additionalDetails"] = {name: value for name, value in details.items() if value is not None}
    return field


def _write_schema(properties: Mapping[str, Object]) -> Object:
    return {"$schema": "http://json-schema.org/draft-07/schema#", "type": ["object"], "properties": properties}


def _write_property(column: Column, description: str, *, nullable: bool = True) -> Object:
    own = _JSON_TYPES.get(column.type, "string")
    written: Object = {"type": [own, "null"] if nullable else [own], "description": description}
    if column.type in _FORMATS:
        written["format"] = _FORMATS[column.type]
    if column.type == "ARRAY":
        written["items"] = {"type": ["string"]}
    elif column.enum:
        written["enum"] = list(column.enum)
    return written


def _write_column(column: Column, entity: EntityType) -> Object:
    written = _write_property(column, describe(column, entity), nullable=column.name not in entity.key)
    if column.write_only:
        written["writeOnly"] = True
    elif column.create is None and column.update is None:
        written["readOnly"] = True
    return written


def describe(column: Column, entity: EntityType) -> str:
    """Describe a column in words: agents read nothing else."""
    said = []
    if column.create is not None and column.create.required:
        said.append("required on create")
    if column.create is None and column.update is None and not column.filter_only:
        said.append("set by the provider")
    if column.write_only:
        said.append("given when written, never read")
    if column.update is not None and column.update.only:
        said.append(f"can be updated to {' or '.join(map(repr, column.update.only))}")
    if column.enum:
        said.append(f"one of {', '.join(column.enum)}")
    if column.filters:
        said.append("conditions on it are narrowed by the provider")
    if any(parent.column == column.name and parent.required for parent in entity.parents):
        said.append("conditions of a list have to give it by =")
    return "; ".join(said)


# --- entities ---------------------------------------------------------------------------------------------------------


def write_entity(entity: EntityType, row: Row, connection: str) -> Object:
    """Write a row; `connection` is the connection's resource name."""
    fields = entity.fields_of(row)
    if not entity.key:
        return {"fields": fields}
    return {"name": entity_name(connection, entity.name, entity.id_of(row)), "fields": fields}


def entity_name(connection: str, entity: str, entity_id: str) -> str:
    return f"{connection}/entityTypes/{entity}/entities/{entity_id}"


# --- actions ----------------------------------------------------------------------------------------------------------


def write_action(action: Action, columns: Mapping[str, Column], *, fields: bool = True) -> Object:
    """Write an Action; `columns` are those of its entity type."""
    if not fields:
        return {"name": action.name}
    inputs = write_inputs(action, columns)
    results = {each.name: _write_property(each, _describe_value(each)) for each in _columns_of(action.results, columns)}
    required = required_inputs(action, columns)
    return {
        "name": action.name,
        "displayName": action.name,
        "description": action.description,
        "inputParameters": [
            _write_parameter(column, inputs[column.name], nullable=column.name not in required)
            for column in _columns_of(action.inputs, columns)
        ],
        "resultMetadata": [
            _write_parameter(column, results[column.name]) for column in _columns_of(action.results, columns)
        ],
        "inputJsonSchema": _write_schema(inputs) | {"required": list(required)},
        "resultJsonSchema": _write_schema(results),
    }


def required_inputs(action: Action, columns: Mapping[str, Column]) -> tuple[str, ...]:
    """Return the inputs that must be given: what does not create begins with the id, or with the query."""
    if action.operation != "CREATE":
        return action.inputs[:1]
    changes = {name: columns[name].create for name in action.inputs}
    return tuple(name for name, change in changes.items() if change is not None and change.required)


def write_inputs(action: Action, columns: Mapping[str, Column]) -> dict[str, Object]:
    """Write what an action takes as properties of a JSON schema. Agents read types and descriptions alone."""
    required = required_inputs(action, columns)
    return {
        column.name: _write_property(
            column, _describe_value(column, required=column.name in required), nullable=column.name not in required
        )
        for column in _columns_of(action.inputs, columns)
    }


def _describe_value(column: Column, *, required: bool = False) -> str:
    said = ["required"] if required else []
    return "; ".join([*said, f"one of {', '.join(column.enum)}"] if column.enum else said)


def _columns_of(names: Iterable[str], columns: Mapping[str, Column]) -> list[Column]:
    return [columns.get(name) or Column(name, "VARCHAR") for name in names]


def _write_parameter(column: Column, schema: Object, *, nullable: bool = True) -> Object:
    description = schema["description"]
    return {"name": column.name, "description": description, "dataType": column.type, "nullable": nullable}


# --- tools ------------------------------------------------------------------------------------------------------------


def write_tool(
    name: str, description: str, properties: Mapping[str, Object], *, required: Sequence[str], hints: Mapping[str, bool]
) -> Object:
    """Write a Tool, as MCP has it too."""
    return {
        "name": name,
        "description": description,
        "inputSchema": {"type": "object", "properties": dict(properties), "required": list(required)},
        "annotations": {"title": name.replace("_", " "), **hints, "openWorldHint": True},
    }
