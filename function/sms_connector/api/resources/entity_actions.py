"""`/v2/…/actions`: operations under names of their own, and what of the surface is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sms_connector.api.resources.entities import (
    CONNECTION,
    counted,
    described,
    get_entities,
    page_of,
    route,
    run_query,
    send,
    with_token,
)
from sms_connector.api.routing import Answer, ParsedRequest
from sms_connector.api.schemas import entity as payloads
from sms_connector.api.schemas import entity_answers as answers
from sms_connector.api.schemas.base import Nothing
from sms_connector.api.services import Services
from sms_connector.entities.service import Entities
from sms_connector.entity import Action, Column
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest, NotFound, RequestError

# The name by which Google's agent kit runs queries.
QUERY_ACTION = Action(
    "ExecuteCustomQuery",
    "Run one SELECT over the entity types",
    entity="",
    operation="LIST",
    inputs=("query", "timeout", "pageSize"),
    results=(),
)
_QUERY_COLUMNS = {
    "query": Column("query", "VARCHAR"),
    "timeout": Column("timeout", "INTEGER"),
    "pageSize": Column("pageSize", "INTEGER"),
}


class NotOffered(RequestError):  # named as errors.py names its kin
    """501. The method is one that this connector does not have, on purpose."""

    http_status, rpc_status, kind = 501, "UNIMPLEMENTED", ErrorKind.UNSUPPORTED


def list_actions(services: Services, call: ParsedRequest) -> Answer:
    """List the actions."""
    entities = described(services)
    fields = call.query.view != "ACTION_VIEW_BASIC"
    page, token = page_of(offered_actions(entities), call.query, "actions")
    return Answer(with_token({"actions": [_write(entities, each, fields=fields) for each in page]}, token))


def get_action(services: Services, call: ParsedRequest) -> Answer:
    """Describe an action."""
    return Answer(describe_action(described(services), call.path["action"]))


def execute_action(services: Services, call: ParsedRequest) -> Answer:
    """Execute an action."""
    results, calls = run_action(services, call, call.path["action"], call.body.parameters)
    return counted({"results": results}, calls)


def run_action(
    services: Services, call: ParsedRequest, name: str, given: Mapping[str, Any]
) -> tuple[Sequence[Mapping[str, Any]], int]:
    """Execute an action, and return its rows and how many calls it took."""
    entities = get_entities(services)
    action = _find(entities, name)
    unknown = [name for name in given if name not in action.inputs]
    if unknown:
        known = ", ".join(action.inputs)
        raise InvalidRequest(
            *(FieldProblem(f"parameters.{each[:80]}", f"unknown; {name} takes {known}") for each in unknown)
        )
    if action is QUERY_ACTION:
        most, seconds = (payloads.read_whole(given, each) for each in ("pageSize", "timeout"))
        return run_query(services, _text(given, "query"), most=most, seconds=seconds)
    entity = entities.offered(action.entity, action.operation)
    if action.operation == "UPDATE":
        entity_id = _text(given, entity.key[0])
        return [entities.update(entity.name, entity_id, action.fixed, answered=action.results)], 1
    values = {**given, **action.fixed}
    made = send(services, call, values) if entity.send_fields else entities.create(entity.name, values)
    return [{each: made.get(each) for each in action.results}], 1


def offered_actions(entities: Entities) -> list[Action]:
    """Return the actions whose operation is switched on."""
    own = [each for each in entities.source.actions if each.operation in entities.types[each.entity].operations]
    return [*own, QUERY_ACTION] if entities.types else []


def describe_action(entities: Entities, name: str) -> dict[str, Any]:
    """Raises NotFound."""
    return _write(entities, _find(entities, name))


def _find(entities: Entities, name: str) -> Action:
    actions = {each.name: each for each in offered_actions(entities)}
    if name not in actions:
        raise NotFound(f"no action {name[:80]!r}; the actions are {', '.join(actions) or 'none'}")
    return actions[name]


def _write(entities: Entities, action: Action, *, fields: bool = True) -> dict[str, Any]:
    columns = _QUERY_COLUMNS if action is QUERY_ACTION else entities.types[action.entity].by_name
    return payloads.write_action(action, columns, fields=fields)


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRequest(FieldProblem(f"parameters.{name}", "is missing; write a text", ErrorKind.MISSING_VALUE))
    return value


def list_custom_tool_names(_services: Services, _call: ParsedRequest) -> Answer:
    """List the custom tools, of which none are stored."""
    return Answer({})


def list_resources(_services: Services, _call: ParsedRequest) -> Answer:
    """List the resources, of which none are stored."""
    return Answer({})


def get_no_resource(_services: Services, call: ParsedRequest) -> Answer:
    """Refuse: no resources are kept."""
    raise NotFound(f"no resource {call.path['resource'][:80]!r}; this connector keeps none")


def refuse_sign_in(_services: Services, _call: ParsedRequest) -> Answer:
    """Refuse: the provider has no OAuth flow here."""
    raise NotOffered("the credentials are secrets of the connection; rotate them there, no sign-in is offered")


def refuse_http(_services: Services, _call: ParsedRequest) -> Answer:
    """Refuse: it would lend out the connection's address and credentials."""
    raise NotOffered("raw HTTP requests are not offered; use entities, actions or executeSqlQuery")


_ACTION = f"{CONNECTION}/actions/{{action}}"

ROUTES = (
    route("GET", f"{CONNECTION}/actions", list_actions, answers.ActionList, query=payloads.ViewQuery),
    route("GET", _ACTION, get_action, answers.Action, query=payloads.ViewQuery),
    route("POST", f"{_ACTION}:execute", execute_action, answers.RowList, body=payloads.ActionBody),
    route("GET", f"{CONNECTION}:listCustomToolNames", list_custom_tool_names, Nothing),
    route("GET", f"{CONNECTION}/resources", list_resources, Nothing, query=payloads.ListQuery),
    route("GET", f"{CONNECTION}/resources/{{resource}}", get_no_resource, None),
    route("POST", f"{CONNECTION}/resources/{{resource}}", get_no_resource, None, body=payloads.AnyBody),
    route("POST", f"{CONNECTION}:exchangeAuthCode", refuse_sign_in, None, body=payloads.AnyBody),
    route("POST", f"{CONNECTION}:refreshAccessToken", refuse_sign_in, None, body=payloads.AnyBody),
    route("POST", f"{CONNECTION}:executeHttpRequest", refuse_http, None, body=payloads.AnyBody),
)
