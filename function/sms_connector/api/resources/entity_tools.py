"""`/v2/…/tools`: what an agent can call, made of the entity types and actions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from sms_connector.api.resources.entities import (
    CONNECTION,
    connection_name,
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
from sms_connector.api.resources.entity_actions import offered_actions, run_action
from sms_connector.api.routing import Answer, ParsedRequest
from sms_connector.api.schemas import entity as payloads
from sms_connector.api.schemas import entity_answers as answers
from sms_connector.api.services import Services
from sms_connector.entities.service import Entities
from sms_connector.entity import Action, EntityType, Operation
from sms_connector.errors import FieldProblem, InvalidRequest, NotFound

_LONGEST_NAME = 63
_READS = {"readOnlyHint": True}
_ENDS = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True}
_ADDS = {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": False}
_TYPE: Mapping[str, Any] = {"entityType": {"type": "string", "description": "Name of an entity type."}}
_ID: Mapping[str, Any] = {"entityId": {"type": "string", "description": "The key; of several columns joined by ~."}}
_LIST: Mapping[str, Any] = {
    "conditions": {
        "type": "string",
        "description": "Conditions as in SQL's WHERE, such as Status='failed' AND DateSent>='2026-07-01'.",
    },
    "pageSize": {"type": "integer", "description": "Rows of a page, at most 200."},
    "pageToken": {"type": "string", "description": "nextPageToken of the page before."},
    "sortBy": {"type": "string", "description": "A column."},
    "sortOrder": {"type": "string", "description": "ASC or DESC."},
}
_OPERATIONS: Mapping[str, Operation] = {
    "list": "LIST",
    "get": "GET",
    "create": "CREATE",
    "update": "UPDATE",
    "delete": "DELETE",
}

Given = Mapping[str, Any]
Run = Callable[[Services, ParsedRequest, Given], tuple[Mapping[str, Any], int]]


class Tool(msgspec.Struct, frozen=True):
    """A tool: its arguments as properties of a JSON schema, and what it does."""

    name: str
    description: str
    properties: Mapping[str, Any]
    required: tuple[str, ...]
    hints: Mapping[str, bool]
    run: Run

    def write(self) -> dict[str, Any]:
        return payloads.write_tool(
            self.name, self.description, self.properties, required=self.required, hints=self.hints
        )


def general_tools(entities: Entities) -> Iterator[Tool]:
    """Yield the tools that serve all entity types, and one for each action."""
    yield Tool("list_entity_types", "List the entity types and their operations.", {}, (), _READS, _list_types)
    yield Tool("describe_entity_type", "Describe an entity type's columns.", _TYPE, ("entityType",), _READS, _describe)
    yield Tool("list_entities", "List entities.", {**_TYPE, **_LIST}, ("entityType",), _READS, _list)
    yield Tool("get_entity", "Get one entity.", {**_TYPE, **_ID}, ("entityType", "entityId"), _READS, _get)
    statement = {"query": {"type": "string", "description": "One SELECT; tables are entity types."}}
    yield Tool("query", "Run one SELECT over the entity types.", statement, ("query",), _READS, _query)
    for action in offered_actions(entities):
        if action.entity == entities.source.message_type:
            yield _action_tool(entities, action)


def type_tools(entities: Entities) -> Iterator[Tool]:
    """Yield the tools of each entity type."""
    for entity in entities.types.values():
        for verb, operation in _OPERATIONS.items():
            if operation in entity.operations:
                yield _type_tool(entity, verb)


def list_tools(services: Services, call: ParsedRequest) -> Answer:
    """List tools: the general ones, or those that are named."""
    return _list_tools(services, call.query)


def post_tools(services: Services, call: ParsedRequest) -> Answer:
    """List tools, asked for in a body."""
    return _list_tools(services, call.body)


def execute_tool(services: Services, call: ParsedRequest) -> Answer:
    """Execute a tool."""
    result, calls = run_tool(services, call, call.path["tool"], call.body.parameters)
    return counted({"result": dict(result)}, calls)


def generate_toolspec(services: Services, call: ParsedRequest) -> Answer:
    """Return the definitions of the tools that are asked for."""
    entities = described(services)
    names = [each.name or _name(each.operation.lower(), each.entity_name) for each in call.body.tool_names]
    definitions = [find_tool(entities, name).write() for name in names]
    return Answer({"toolSpec": {"toolDefinitions": definitions, "toolSpecVersion": "1"}})


def run_tool(services: Services, call: ParsedRequest, name: str, given: Given) -> tuple[Mapping[str, Any], int]:
    """Execute a tool, and return its result and how many calls it took. Raises NotFound and InvalidRequest."""
    tool = find_tool(described(services), name)
    problems = [FieldProblem(f"parameters.{each[:80]}", "unknown") for each in given if each not in tool.properties]
    problems += [FieldProblem(f"parameters.{each}", "is missing") for each in tool.required if not given.get(each)]
    for each, value in given.items():
        if (
            each in tool.properties
            and not isinstance(value, _KINDS[_kind(tool.properties[each])])
            and value is not None
        ):
            problems.append(FieldProblem(f"parameters.{each}", f"must be of type {_kind(tool.properties[each])}"))
    if problems:
        raise InvalidRequest(*problems)
    return tool.run(services, call, {each: value for each, value in given.items() if value is not None})


_KINDS: Mapping[str, Any] = {
    "string": str,
    "integer": int | float | str,
    "number": int | float | str,
    "boolean": bool | str,
    "object": dict,
    "array": list | str,
}


def _kind(schema: Mapping[str, Any]) -> str:
    own = schema["type"]
    return own if isinstance(own, str) else own[0]


def find_tool(entities: Entities, name: str) -> Tool:
    """Raises NotFound."""
    for tools in (general_tools, type_tools):
        for tool in tools(entities):
            if tool.name == name:
                return tool
    raise NotFound(f"no tool {name[:80]!r}; GET …/tools lists the general ones")


def _list_tools(services: Services, query: Any) -> Answer:
    entities = described(services)
    wanted = set(query.tool_names)
    tools = [*general_tools(entities), *type_tools(entities)] if wanted else list(general_tools(entities))
    page, token = page_of([each for each in tools if not wanted or each.name in wanted], query, "tools")
    return Answer(with_token({"tools": [each.write() for each in page]}, token))


def _name(verb: str, entity: str) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", entity).lower()
    return f"{verb}_{snake}"[:_LONGEST_NAME]


# --- what tools do ----------------------------------------------------------------------------------------------------


def _list_types(services: Services, _call: ParsedRequest, _given: Given) -> tuple[Mapping[str, Any], int]:
    types = described(services).types.values()
    return {"entityTypes": [{"name": each.name, "operations": list(each.operations)} for each in types]}, 0


def _describe(services: Services, _call: ParsedRequest, given: Given) -> tuple[Mapping[str, Any], int]:
    return payloads.write_type(described(services).type_of(given["entityType"])), 0


def _list(services: Services, _call: ParsedRequest, given: Given) -> tuple[Mapping[str, Any], int]:
    entities, name = get_entities(services), given["entityType"]
    query = payloads.EntityQuery(
        conditions=given.get("conditions", ""),
        page_size=payloads.read_whole(given, "pageSize"),
        page_token=given.get("pageToken", ""),
        sort_by=[given["sortBy"]] if given.get("sortBy") else [],
        sort_order=[given["sortOrder"]] if given.get("sortOrder") else [],
    )
    found, calls = entities.list_rows(name, read_list(query))
    entity = entities.type_of(name)
    rows = [entity.fields_of(row) for row in found.rows]
    return with_token({"rows": rows}, found.next_token), calls


def _get(services: Services, call: ParsedRequest, given: Given) -> tuple[Mapping[str, Any], int]:
    entities, name = get_entities(services), given["entityType"]
    row, calls = entities.get(name, given["entityId"])
    return payloads.write_entity(entities.type_of(name), row, connection_name(call)), calls


def _query(services: Services, _call: ParsedRequest, given: Given) -> tuple[Mapping[str, Any], int]:
    rows, calls = run_query(services, given["query"])
    return {"rows": list(rows)}, calls


def _action_tool(entities: Entities, action: Action) -> Tool:
    columns = entities.types[action.entity].by_name
    properties, required = payloads.write_inputs(action, columns), payloads.required_inputs(action, columns)

    def run(services: Services, call: ParsedRequest, given: Given) -> tuple[Mapping[str, Any], int]:
        [result], calls = run_action(services, call, action.name, given)
        return result, calls

    hints = _ENDS if action.fixed else _ADDS
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", action.name).lower()
    return Tool(name, f"{action.description}.", properties, required, hints, run)


def _type_tool(entity: EntityType, verb: str) -> Tool:
    """Return the tool of one operation of one entity type."""
    name = _name(verb, entity.name)
    fields: Mapping[str, Any] = {"fields": {"type": "object", "description": f"Columns of {entity.name}."}}
    own = {"entityType": entity.name}
    match verb:
        case "list":
            return Tool(
                name, f"List {entity.name}.", _LIST, (), _READS, lambda s, c, given: _list(s, c, {**own, **given})
            )
        case "get":
            return Tool(
                name,
                f"Get one of {entity.name}.",
                _ID,
                ("entityId",),
                _READS,
                lambda s, c, given: _get(s, c, {**own, **given}),
            )
        case "create":
            return Tool(name, f"Create one of {entity.name}.", fields, ("fields",), _ADDS, _creating(entity))
        case "update":
            wanted = ("entityId", "fields")
            return Tool(name, f"Update one of {entity.name}.", {**_ID, **fields}, wanted, _ENDS, _updating(entity))
        case _:
            return Tool(name, f"Delete one of {entity.name}.", _ID, ("entityId",), _ENDS, _deleting(entity))


def _creating(entity: EntityType) -> Run:
    def run(services: Services, call: ParsedRequest, given: Given) -> tuple[Mapping[str, Any], int]:
        return create(services, call, entity.name, given["fields"]), 1

    return run


def _updating(entity: EntityType) -> Run:
    def run(services: Services, _call: ParsedRequest, given: Given) -> tuple[Mapping[str, Any], int]:
        return get_entities(services).update(entity.name, given["entityId"], given["fields"]), 1

    return run


def _deleting(entity: EntityType) -> Run:
    def run(services: Services, _call: ParsedRequest, given: Given) -> tuple[Mapping[str, Any], int]:
        get_entities(services).delete(entity.name, given["entityId"])
        return {}, 1

    return run


ROUTES = (
    route("GET", f"{CONNECTION}/tools", list_tools, answers.ToolList, query=payloads.ToolQuery),
    route("POST", f"{CONNECTION}/tools", post_tools, answers.ToolList, body=payloads.ToolsBody),
    route("POST", f"{CONNECTION}/tools/{{tool}}:execute", execute_tool, answers.ToolResult, body=payloads.ToolBody),
    route(
        "POST",
        f"{CONNECTION}:generateConnectionToolspecOverride",
        generate_toolspec,
        answers.ToolSpecAnswer,
        body=payloads.ToolNamesBody,
    ),
)
