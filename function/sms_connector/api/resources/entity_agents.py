"""`/v1/projects/…` and `ExecuteConnection`: what Google's agent kit calls instead of version 2."""

from __future__ import annotations

from typing import Any

from sms_connector.api.resources.entities import (
    CONNECTION,
    counted,
    create,
    described,
    get_entities,
    page_of,
    read_list,
    route,
    run_query,
    with_token,
)
from sms_connector.api.resources.entity_actions import NotOffered, describe_action, offered_actions, run_action
from sms_connector.api.routing import Answer, Method, ParsedRequest
from sms_connector.api.schemas import agent_kit
from sms_connector.api.schemas import entity as payloads
from sms_connector.api.schemas import entity_answers as answers
from sms_connector.api.services import Services
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest, NotFound

_LOCATION = "/projects/{project}/locations/{location}"
_V1 = CONNECTION.replace("/v2/", "/v1/")
_METADATA = f"{_V1}/connectionSchemaMetadata"
_ENTITY, _ACTION = "entity-", "action-"


def describe_connection(services: Services, call: ParsedRequest) -> Answer:
    """Describe the connection."""
    profile, why = services.profile, services.engine.connection.why_suspended()
    return Answer(
        agent_kit.write_connection(
            _name(call, f"connections/{profile.name}"),
            version=_name_version(call, profile.provider),
            nodes=(profile.nodes_min, profile.nodes_max),
            description=profile.description,
            labels=dict(profile.labels),
            state="INACTIVE" if why else "ACTIVE",
            why=why or "",
        )
    )


def get_metadata(services: Services, _call: ParsedRequest) -> Answer:
    """List the names of entity types and actions."""
    entities = described(services)
    actions = [action.name for action in offered_actions(entities)]
    return Answer({"entities": list(entities.types), "actions": actions, "state": "UPDATED"})


def start_entity_type(services: Services, call: ParsedRequest) -> Answer:
    """Begin to describe an entity type; the operation's name says which, so that nothing is kept."""
    entity = described(services).type_of(call.query.entity_id)
    return Answer({"name": _name(call, f"operations/{_ENTITY}{entity.name}")})


def start_action(services: Services, call: ParsedRequest) -> Answer:
    """Begin to describe an action."""
    action = describe_action(described(services), call.query.action_id)
    return Answer({"name": _name(call, f"operations/{_ACTION}{action['name']}")})


def get_operation(services: Services, call: ParsedRequest) -> Answer:
    """Answer an operation, which is always done."""
    entities, operation = described(services), call.path["operation"]
    if operation.startswith(_ENTITY):
        response = payloads.write_type(entities.type_of(operation.removeprefix(_ENTITY)))
    elif operation.startswith(_ACTION):
        response = describe_action(entities, operation.removeprefix(_ACTION))
        response["outputJsonSchema"] = response["resultJsonSchema"]  # the kit's name for it
    else:
        raise NotFound(f"no operation {operation[:80]!r}")
    return Answer({"name": _name(call, f"operations/{operation}"), "done": True, "response": response})


def list_runtime_entity_schemas(services: Services, call: ParsedRequest) -> Answer:
    """List the entity types, as version 1 describes them."""
    return _list_types(services, call, "runtimeEntitySchemas")


def list_runtime_entity_types(services: Services, call: ParsedRequest) -> Answer:
    """List the entity types, as version 1 describes them, under their other name."""
    return _list_types(services, call, "entityTypes")


def list_runtime_action_schemas(services: Services, call: ParsedRequest) -> Answer:
    """List the actions, as version 1 describes them."""
    return _list_actions(services, call, "runtimeActionSchemas")


def list_runtime_actions(services: Services, call: ParsedRequest) -> Answer:
    """List the actions, as version 1 describes them, under their other name."""
    return _list_actions(services, call, "actions")


def _list_types(services: Services, call: ParsedRequest, field: str) -> Answer:
    wanted = agent_kit.read_filter(call.query.filter, "entity")
    types = [each for each in described(services).types.values() if wanted in (None, each.name)]
    page, token = page_of(types, call.query, field)
    schemas = [agent_kit.write_runtime_entity(payloads.write_type(each)) for each in page]
    return Answer(with_token({field: schemas}, token))


def _list_actions(services: Services, call: ParsedRequest, field: str) -> Answer:
    entities, wanted = described(services), agent_kit.read_filter(call.query.filter, "action")
    names = [each.name for each in offered_actions(entities) if wanted in (None, each.name)]
    page, token = page_of(names, call.query, field)
    as_text = call.query.schema_as_string
    actions = [agent_kit.write_runtime_action(describe_action(entities, name), as_text=as_text) for name in page]
    return Answer(with_token({field: actions}, token))


def refuse_change(_services: Services, _call: ParsedRequest) -> Answer:
    """Refuse: the connection is what its stack says."""
    raise NotOffered("the connection is managed by Pulumi; change its stack's configuration and run pulumi up")


def execute_connection(services: Services, call: ParsedRequest) -> Answer:
    """Carry out one operation of an agent."""
    body: agent_kit.ExecuteBody = call.body
    name = services.profile.name
    if body.connection_name.rpartition("/")[2] != name:
        raise NotFound(f"no connection {body.connection_name[:200]!r} here; this is {name}")
    if body.dynamic_auth_config:
        raise InvalidRequest(FieldProblem("dynamicAuthConfig", "is not offered; the connection's credentials are used"))
    output, token, calls = _execute(services, call, body)
    return counted(with_token({"connectorOutputPayload": output}, token), calls)


def _execute(services: Services, call: ParsedRequest, body: agent_kit.ExecuteBody) -> tuple[Any, str | None, int]:
    """Return what an operation puts out, the next page's token, and how many calls it took."""
    given = body.connector_input_payload or {}
    match body.operation:
        case "LIST_ENTITIES":
            return _list(services, body)
        case "GET_ENTITY":
            entities, name = get_entities(services), _required(body.entity, "entity")
            row, calls = entities.get(name, _required(body.entity_id, "entityId"))
            return entities.type_of(name).fields_of(row), None, calls
        case "CREATE_ENTITY":
            return create(services, call, _required(body.entity, "entity"), given), None, 1
        case "UPDATE_ENTITY":
            changed, calls = _update(services, body, given)
            return changed, None, calls
        case "DELETE_ENTITY":
            return {}, None, _delete(services, body)
        case "EXECUTE_ACTION":
            rows, calls = run_action(services, call, _required(body.action, "action"), given)
            return list(rows), None, calls
        case "EXECUTE_QUERY":
            statement = _required(body.query, "query")
            rows, calls = run_query(services, statement, most=body.page_size or 0, seconds=body.timeout or 0)
            return list(rows), None, calls
        case _:
            raise InvalidRequest(FieldProblem("operation", f"{body.operation[:80]!r} is not known"))


def _list(services: Services, body: agent_kit.ExecuteBody) -> tuple[Any, str | None, int]:
    query = payloads.EntityQuery(
        conditions=body.filter_clause or "",
        page_size=int(body.page_size or 0),
        page_token=body.page_token or "",
        sort_by=body.sort_by_columns or [],
    )
    entities, name = get_entities(services), _required(body.entity, "entity")
    found, calls = entities.list_rows(name, read_list(query))
    entity = entities.type_of(name)
    return [entity.fields_of(row) for row in found.rows], found.next_token, calls


def _update(services: Services, body: agent_kit.ExecuteBody, given: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Update by id, or by condition; an id is never read as a condition."""
    entities, name = get_entities(services), _required(body.entity, "entity")
    if body.entity_id:
        return dict(entities.update(name, body.entity_id, given)), 1
    changed, calls = entities.update_where(name, _required(body.filter_clause, "entityId"), given)
    return dict(changed), calls


def _delete(services: Services, body: agent_kit.ExecuteBody) -> int:
    entities, name = get_entities(services), _required(body.entity, "entity")
    if body.entity_id:
        entities.delete(name, body.entity_id)
        return 1
    return entities.delete_where(name, _required(body.filter_clause, "entityId"))


def _required(value: str | None, field: str) -> str:
    if not value:
        raise InvalidRequest(FieldProblem(field, "is missing", ErrorKind.MISSING_VALUE))
    return value


def _name(call: ParsedRequest, last: str) -> str:
    return f"projects/{call.path['project']}/locations/{call.path['location']}/{last}"


def _name_version(call: ParsedRequest, provider: str) -> str:
    parent = f"projects/{call.path['project']}/locations/global/providers/{provider}"
    return f"{parent}/connectors/{provider}/versions/1"


_SCHEMAS = agent_kit.RuntimeSchemaQuery
# What Google's own service changes of a connection.
_CHANGES: tuple[tuple[Method, str], ...] = (
    ("POST", f"/v1{_LOCATION}/connections"),
    ("PATCH", _V1),
    ("DELETE", _V1),
    ("POST", f"{_V1}:{{operation}}"),
    ("POST", f"{_METADATA}:refresh"),
    ("POST", f"{_V1}/eventSubscriptions"),
    ("POST", f"{_V1}/endUserAuthentications"),
)

ROUTES = (
    route("GET", _V1, describe_connection, answers.Connection, query=agent_kit.MetadataQuery),
    route("GET", _METADATA, get_metadata, answers.SchemaMetadata, query=agent_kit.MetadataQuery),
    route(
        "GET",
        f"{_METADATA}:getEntityType",
        start_entity_type,
        answers.LongRunningOperation,
        query=agent_kit.MetadataQuery,
    ),
    route("GET", f"{_METADATA}:getAction", start_action, answers.LongRunningOperation, query=agent_kit.MetadataQuery),
    route(
        "GET", f"{_METADATA}:listEntityTypes", list_runtime_entity_types, answers.RuntimeEntityTypeList, query=_SCHEMAS
    ),
    route("GET", f"{_METADATA}:listActions", list_runtime_actions, answers.RuntimeActionList, query=_SCHEMAS),
    route(
        "GET",
        f"{_V1}/runtimeEntitySchemas",
        list_runtime_entity_schemas,
        answers.RuntimeEntitySchemaList,
        query=_SCHEMAS,
    ),
    route(
        "GET",
        f"{_V1}/runtimeActionSchemas",
        list_runtime_action_schemas,
        answers.RuntimeActionSchemaList,
        query=_SCHEMAS,
    ),
    *(route(method, path, refuse_change, None, body=payloads.AnyBody) for method, path in _CHANGES),
    route("GET", f"/v1{_LOCATION}/operations/{{operation}}", get_operation, answers.LongRunningOperation),
    route(
        "POST",
        f"/v2{_LOCATION}/integrations/{{integration}}:execute",
        execute_connection,
        answers.Executed,
        query=agent_kit.TriggerQuery,
        body=agent_kit.ExecuteBody,
    ),
)
