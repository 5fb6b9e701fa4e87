"""Google's Integration Connectors on the wire: the answers, as the OpenAPI document describes them.

They are written as plain objects, which hold JSON schemas and rows of any shape; the tests hold every answer against
its type here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, field

from sms_connector.api.schemas.base import Maybe, Payload
from sms_connector.api.schemas.entity import Object
from sms_connector.entity import Operation

NextToken = Maybe[Annotated[str, Meta(description="Ask with it for the next page; absent at the end.")]]
Schema = Annotated[Object, Meta(description="A JSON schema, draft 07.")]
DataType = Literal["VARCHAR", "INTEGER", "DECIMAL", "BOOLEAN", "DATE", "TIMESTAMP", "STRUCT", "ARRAY"]


class GoogleProblemDetail(Payload):
    """A detail of an error: google.rpc BadRequest, ErrorInfo or RetryInfo, by its `@type`."""

    type: str = field(name="@type")
    field_violations: Maybe[list[dict[str, str]]] = UNSET
    reason: Maybe[str] = UNSET
    domain: Maybe[str] = UNSET
    metadata: Maybe[dict[str, str]] = UNSET
    retry_delay: Maybe[str] = UNSET


class GoogleProblem(Payload):
    """`status` is a google.rpc code; programs branch on it and on the details' `reason`, people read `message`."""

    code: Annotated[int, Meta(description="The HTTP status.")]
    status: str
    message: Annotated[str, Meta(description="What is wrong and how to fix it. Wording may change.")]
    details: list[GoogleProblemDetail]


class GoogleProblemDocument(Payload):
    """The answer of every request of Google's clients that failed."""

    error: GoogleProblem


class ConnectionStatus(Payload):
    """The connection's state; the description is there where it is not ACTIVE."""

    state: Literal["ACTIVE", "ERROR", "AUTH_ERROR"]
    description: str


class Readiness(Payload):
    """Requests are taken."""

    status: Literal["READY"]


class Field(Payload):
    """A column of an entity type."""

    name: str
    description: str
    data_type: DataType
    key: bool
    nullable: bool
    additional_details: Maybe[Object] = UNSET


class EntityType(Payload):
    """An entity type; with the BASIC view of a list its name alone."""

    name: str
    fields: Maybe[list[Field]] = UNSET
    operations: Maybe[list[Operation]] = UNSET
    json_schema: Maybe[Schema] = UNSET


class EntityTypeList(Payload):
    """A page of entity types."""

    types: list[EntityType]
    next_page_token: NextToken = UNSET


class Entity(Payload):
    """An entity: its columns, and its resource name where its type has a key."""

    fields: Annotated[Object, Meta(description="A value for each column.")]
    name: Maybe[str] = UNSET


class EntityList(Payload):
    """A page of entities, which may be short or empty and still have a next one."""

    entities: list[Entity]
    next_page_token: NextToken = UNSET


class ConditionalUpdate(Payload):
    """What was changed: of one entity the columns of its update, of several their number as `updated`."""

    response: Object


class RowList(Payload):
    """Rows: a value for each column."""

    results: list[Object]


class Parameter(Payload):
    """A value that an action takes or answers."""

    name: str
    description: str
    data_type: DataType
    nullable: bool


class Action(Payload):
    """An action; with the BASIC view of a list its name alone."""

    name: str
    display_name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    input_parameters: Maybe[list[Parameter]] = UNSET
    result_metadata: Maybe[list[Parameter]] = UNSET
    input_json_schema: Maybe[Schema] = UNSET
    result_json_schema: Maybe[Schema] = UNSET


class ActionList(Payload):
    """A page of actions."""

    actions: list[Action]
    next_page_token: NextToken = UNSET


class ToolAnnotations(Payload):
    """Hints for agents, as the Model Context Protocol has them."""

    title: str
    read_only_hint: bool
    open_world_hint: bool
    destructive_hint: Maybe[bool] = UNSET
    idempotent_hint: Maybe[bool] = UNSET


class Tool(Payload):
    """What an agent can call, as the Model Context Protocol has it too."""

    name: str
    description: str
    input_schema: Schema
    annotations: ToolAnnotations


class ToolList(Payload):
    """A page of tools."""

    tools: list[Tool]
    next_page_token: NextToken = UNSET


class ToolResult(Payload):
    """The result of a tool."""

    result: Object


class ToolSpec(Payload):
    """Definitions of tools."""

    tool_definitions: list[Tool]
    tool_spec_version: str


class ToolSpecAnswer(Payload):
    """The definitions of the tools that were asked for."""

    tool_spec: ToolSpec


class NodeConfig(Payload):
    """The bounds of the number of nodes."""

    min_node_count: int
    max_node_count: int


class ConnectionStateInfo(Payload):
    """The state of a connection of version 1; INACTIVE: suspended, for the reason in the description."""

    state: Literal["ACTIVE", "INACTIVE"]
    description: str


class Connection(Payload):
    """A connection, as version 1 describes it."""

    name: str
    description: str
    labels: dict[str, str]
    connector_version: str
    service_directory: str
    host: str
    tls_service_directory: str
    auth_override_enabled: bool
    suspended: bool
    status: ConnectionStateInfo
    node_config: Maybe[NodeConfig] = UNSET


class SchemaMetadata(Payload):
    """The names of the entity types and actions."""

    entities: list[str]
    actions: list[str]
    state: Literal["UPDATED"]


class LongRunningOperation(Payload):
    """An operation of version 1. It is done when it is first asked for; the response is an entity type or an action."""

    name: str
    done: Maybe[bool] = UNSET
    response: Maybe[Object] = UNSET


class RuntimeResult(Payload):
    """A value that an action answers, as version 1 describes it."""

    field: str
    description: str
    data_type: str
    nullable: bool


class RuntimeField(RuntimeResult):
    """A column, as version 1 describes it."""

    key: bool


class RuntimeEntitySchema(Payload):
    """An entity type, as version 1 describes it."""

    entity: str
    fields: list[RuntimeField]
    operations: list[Operation]
    json_schema: Schema


class RuntimeEntitySchemaList(Payload):
    """A page of entity types."""

    runtime_entity_schemas: list[RuntimeEntitySchema]
    next_page_token: NextToken = UNSET


class RuntimeEntityTypeList(Payload):
    """A page of entity types, under the name that `listEntityTypes` gives them."""

    entity_types: list[RuntimeEntitySchema]
    next_page_token: NextToken = UNSET


class RuntimeParameter(Payload):
    """A value that an action takes, as version 1 describes it."""

    parameter: str
    description: str
    data_type: str
    nullable: bool


class RuntimeActionSchema(Payload):
    """An action, as version 1 describes it. The schemas are also there as text where `schemaAsString` asks for it."""

    action: str
    display_name: str
    description: str
    input_parameters: list[RuntimeParameter]
    result_metadata: list[RuntimeResult]
    input_json_schema: Schema
    result_json_schema: Schema
    input_schema_as_string: Maybe[str] = UNSET
    result_schema_as_string: Maybe[str] = UNSET


class RuntimeActionSchemaList(Payload):
    """A page of actions."""

    runtime_action_schemas: list[RuntimeActionSchema]
    next_page_token: NextToken = UNSET


class RuntimeActionList(Payload):
    """A page of actions, under the name that `listActions` gives them."""

    actions: list[RuntimeActionSchema]
    next_page_token: NextToken = UNSET


class Executed(Payload):
    """What an operation of an agent puts out: rows, one row, or nothing."""

    connector_output_payload: list[Object] | Object
    next_page_token: NextToken = UNSET


class RpcMessage(Payload):
    """A message of the Model Context Protocol (JSON-RPC 2.0); without an id it is a notification."""

    jsonrpc: Literal["2.0"]
    method: str
    id: Maybe[str | int] = UNSET
    params: Maybe[Object] = UNSET


class RpcError(Payload):
    """An error of the protocol."""

    code: int
    message: str
    data: Maybe[Object] = UNSET


class RpcProblem(Payload):
    """The answer to a message that is refused."""

    jsonrpc: Literal["2.0"]
    error: RpcError
    id: Any = None


class RpcResult(Payload):
    """The answer to a message: its result, or with the versions that begin with a handshake an error."""

    jsonrpc: Literal["2.0"]
    id: str | int
    result: Maybe[Object] = UNSET
    error: Maybe[RpcError] = UNSET
