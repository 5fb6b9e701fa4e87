"""`/v2/…/connections/{connection}`: state, entity types, entities and SQL, as Google's Integration Connectors have
them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from sms_connector.api.idempotent import KEY_DESCRIPTION, KEY_HEADER
from sms_connector.api.resources import messages
from sms_connector.api.routing import Answer, Method, ParsedRequest, Route
from sms_connector.api.schemas import entity as payloads
from sms_connector.api.schemas import entity_answers as answers
from sms_connector.api.schemas.base import Nothing
from sms_connector.api.schemas.conversion import convert
from sms_connector.api.schemas.message import SendAnswer, SendResult
from sms_connector.api.schemas.request_body import SendBody
from sms_connector.api.services import Services
from sms_connector.entities.service import Entities, ListRequest
from sms_connector.entities.values import check_create
from sms_connector.errors import (
    ConnectorError,
    ErrorKind,
    FieldProblem,
    InvalidRequest,
    NotFound,
    NotSent,
    OutcomeUnknown,
    ProviderRefused,
    RetrySafety,
)
from sms_connector.model.status import MessageStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNECTION = "/v2/projects/{project}/locations/{location}/connections/{connection}"
_TYPE = f"{CONNECTION}/entityTypes/{{entity_type}}"
_ENTITIES = f"{_TYPE}/entities"
_ENTITY = f"{_ENTITIES}/{{entity_id}}"
ERRORS = (404, 409, 429, 502, 504)
CALLS_HEADER = "X-Provider-Calls"
MOST_ROWS, MOST_SECONDS = 10_000, 60
_send_answer = msgspec.json.Decoder(SendAnswer)


def get_entities(services: Services) -> Entities:
    """Return the entity operations; raises PreconditionFailed while the connection is suspended."""
    services.engine.connection.require_active()
    return described(services)


def described(services: Services) -> Entities:
    """Return the entity operations, for what is only described."""
    if services.make_entities is None:
        raise NotFound("this function has no entities")
    return services.make_entities()


def connection_name(call: ParsedRequest) -> str:
    path = call.path
    return f"projects/{path['project']}/locations/{path['location']}/connections/{path['connection']}"


def counted(content: dict[str, Any], calls: int = 1) -> Answer:
    return Answer(content, headers={CALLS_HEADER: str(calls)})


# --- state ------------------------------------------------------------------------------------------------------------


def check_status(services: Services, _call: ParsedRequest) -> Answer:
    """Report the connection's state, as data."""
    why = services.engine.connection.why_suspended()
    if why is not None:
        return Answer({"state": "ERROR", "description": why})
    tested = services.engine.connection.test()
    return counted({"state": str(tested.state), "description": tested.description})


def check_readiness(_services: Services, _call: ParsedRequest) -> Answer:
    """Report that requests are taken."""
    return Answer({"status": "READY"})


# --- types ------------------------------------------------------------------------------------------------------------


def list_entity_types(services: Services, call: ParsedRequest) -> Answer:
    """List the entity types."""
    fields = call.query.view != "ENTITY_TYPE_VIEW_BASIC"
    types, token = page_of(list(described(services).types.values()), call.query, "types")
    return Answer(with_token({"types": [payloads.write_type(each, fields=fields) for each in types]}, token))


def get_entity_type(services: Services, call: ParsedRequest) -> Answer:
    """Describe an entity type."""
    entity = described(services).type_of(call.path["entity_type"])
    return Answer(payloads.write_type(entity, enriched=call.query.view == "ENTITY_TYPE_SCHEMA_VIEW_ENRICHED"))


def page_of(items: Sequence[Any], query: Any, field: str) -> tuple[Sequence[Any], str]:
    """Return a page of what is known here; its token is a number."""
    token = query.page_token
    if not (token.isascii() and token.isdigit() and len(token) < 6) and token:
        raise InvalidRequest(FieldProblem("pageToken", f"is none of the {field}; leave it out for the first page"))
    start = int(token or 0)
    end = start + payloads.page_size(query.page_size)
    return items[start:end], str(end) if end < len(items) else ""


def with_token(content: dict[str, Any], token: str | None) -> dict[str, Any]:
    return content | ({"nextPageToken": token} if token else {})


# --- entities ---------------------------------------------------------------------------------------------------------


def list_entities(services: Services, call: ParsedRequest) -> Answer:
    """List entities."""
    entities, query, name = get_entities(services), call.query, call.path["entity_type"]
    entity, connection = entities.type_of(name), connection_name(call)
    found, calls = entities.list_rows(name, read_list(query))
    rows = [payloads.write_entity(entity, row, connection) for row in found.rows]
    return counted(with_token({"entities": rows}, found.next_token), calls)


def read_list(query: Any) -> ListRequest:
    """Read which rows are wanted, from a query or from a tool's arguments. Raises InvalidRequest."""
    if len(query.sort_by) > 1:
        raise InvalidRequest(FieldProblem("sortBy", "names more than one column; name one"))
    orders = [order.upper() for order in query.sort_order]
    if len(orders) > len(query.sort_by) or not set(orders) <= {"ASC", "DESC"}:
        raise InvalidRequest(FieldProblem("sortOrder", "is ASC or DESC, and there for a column of sortBy only"))
    return ListRequest(
        query.conditions,
        payloads.page_size(query.page_size),
        query.page_token,
        query.sort_by[0] if query.sort_by else "",
        orders == ["DESC"],
    )


def get_entity(services: Services, call: ParsedRequest) -> Answer:
    """Get an entity."""
    entities, name = get_entities(services), call.path["entity_type"]
    row, calls = entities.get(name, call.path["entity_id"])
    return counted(payloads.write_entity(entities.type_of(name), row, connection_name(call)), calls)


def create_entity(services: Services, call: ParsedRequest) -> Answer:
    """Create an entity."""
    name = call.path["entity_type"]
    entity = get_entities(services).offered(name, "CREATE")
    fields = create(services, call, name, call.body.fields)
    written: dict[str, Any] = {"fields": fields}
    if entity.key and all(fields.get(column) for column in entity.key):
        entity_id = "~".join(str(fields[column]) for column in entity.key)
        written = {"name": payloads.entity_name(connection_name(call), name, entity_id), **written}
    return counted(written)


def create(services: Services, call: ParsedRequest, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Create an entity and return the columns of the answer; a message is sent."""
    entities = get_entities(services)
    entity = entities.offered(name, "CREATE")
    made = send(services, call, values) if entity.send_fields else entities.create(name, values)
    return {column: made[column] for column in entity.create_answer}


def patch_entity(services: Services, call: ParsedRequest) -> Answer:
    """Update an entity."""
    name, entity_id = call.path["entity_type"], call.path["entity_id"]
    fields = get_entities(services).update(name, entity_id, call.body.fields)
    return counted({"name": payloads.entity_name(connection_name(call), name, entity_id), "fields": dict(fields)})


def delete_entity(services: Services, call: ParsedRequest) -> Answer:
    """Delete an entity."""
    get_entities(services).delete(call.path["entity_type"], call.path["entity_id"])
    return counted({})


def update_entities_with_conditions(services: Services, call: ParsedRequest) -> Answer:
    """Update the entities for which the conditions hold."""
    entities, conditions = get_entities(services), _required_conditions(call)
    answer, calls = entities.update_where(call.path["entity_type"], conditions, call.body.fields)
    return counted({"response": dict(answer)}, calls)


def delete_entities_with_conditions(services: Services, call: ParsedRequest) -> Answer:
    """Delete the entities for which the conditions hold."""
    calls = get_entities(services).delete_where(call.path["entity_type"], _required_conditions(call))
    return counted({}, calls)


def _required_conditions(call: ParsedRequest) -> str:
    conditions: str = call.query.conditions
    if not conditions.strip():
        message = "is missing; write a condition such as Status='queued', or an id"
        raise InvalidRequest(FieldProblem("conditions", message, ErrorKind.MISSING_VALUE))
    return conditions


# --- SQL --------------------------------------------------------------------------------------------------------------


def execute_sql_query(services: Services, call: ParsedRequest) -> Answer:
    """Run one SELECT over the entity types."""
    query = call.body.query
    parameters = [each.value for each in query.query_parameters]
    rows, calls = run_query(services, query.query, parameters, most=query.max_rows, seconds=query.timeout)
    return counted({"results": rows}, calls)


def run_query(
    services: Services,
    statement: str,
    parameters: list[Any] | None = None,
    *,
    most: payloads.Whole = 0,
    seconds: payloads.Whole = 0,
) -> tuple[Sequence[dict[str, Any]], int]:
    """Run a SELECT; 0 is the default of a limit."""
    return get_entities(services).query(
        statement,
        parameters or [],
        most=min(int(most) or 1000, MOST_ROWS),
        seconds=min(int(seconds) or 30, MOST_SECONDS),
    )


# --- messages ---------------------------------------------------------------------------------------------------------


def send(services: Services, call: ParsedRequest, values: Mapping[str, Any]) -> dict[str, Any]:
    """Send a message through the engine, as POST /v1/messages:send does; return Sid, Status and MessageId.

    Raises OutcomeUnknown where it may have been taken, and the reason of every other failure.
    """
    entities = get_entities(services)
    entity = entities.offered(str(entities.source.message_type), "CREATE")
    checked = check_create(entity, values)
    fields: dict[str, Any] = {}
    for name, value in checked.items():
        if entity.send_fields[name] in fields:
            raise InvalidRequest(
                FieldProblem(f"fields.{name}", "says what another field says already; send one of them")
            )
        fields[entity.send_fields[name]] = value
    document = _write_send(fields)
    request = replace(call, document=document, body=convert(document, SendBody), given={})
    try:
        answer = messages.send_messages(services, request)
    except InvalidRequest as error:
        names = {field: name for name, field in reversed(list(entity.send_fields.items()))} | {"text": "Body"}
        raise InvalidRequest(*(replace(each, field=_field_of(each.field, names)) for each in error.problems)) from None
    content = answer.content if isinstance(answer.content, SendAnswer) else _send_answer.decode(answer.encoded())
    [result] = content.results
    failure = _failure_of(result)
    if failure is not None:
        raise failure
    return {entity.key[0]: result.provider_message_id, "Status": str(result.status), "MessageId": result.id}


def _write_send(fields: dict[str, Any]) -> dict[str, Any]:
    text, record = fields.pop("message", ""), {"to": fields.pop("to")}
    media = fields.pop("mediaUrls", None)
    more = fields | ({"mediaUrls": media if isinstance(media, list) else [media]} if media else {})
    return messages.write_text_request(text, record, **more) if text else {"message": "", "records": [record], **more}


def _field_of(path: str, names: Mapping[str, str]) -> str:
    last = path.rpartition(".")[2].partition("[")[0]
    return f"fields.{names.get(last, last)}" if last else "fields"


def _failure_of(result: SendResult) -> ConnectorError | None:
    """Return the error that a message's outcome is for who creates an entity; None where the provider took it."""
    if result.provider_message_id:
        return None
    why = result.error
    if why is None or result.status is MessageStatus.UNKNOWN or why.retry is RetrySafety.UNKNOWN_OUTCOME:
        said = why.message if why is not None else f"its status is {result.status}"
        return OutcomeUnknown(f"it is unknown whether the provider took message {result.id}: {said}")
    if why.source == "provider":
        code = None if isinstance(why.code, msgspec.UnsetType) else why.code
        more_info = None if isinstance(why.more_info, msgspec.UnsetType) else why.more_info
        return ProviderRefused(why.message, kind=why.kind, code=code, more_info=more_info)
    if why.retry is RetrySafety.SAFE:
        return NotSent(why.message, kind=why.kind)
    return InvalidRequest(FieldProblem("fields", why.message, why.kind))


def route(
    method: Method,
    path: str,
    handler: Callable[[Services, ParsedRequest], Answer],
    answer: type[msgspec.Struct] | None,
    *,
    query: type[msgspec.Struct] = payloads.ConfigQuery,
    body: type[msgspec.Struct] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Route:
    """Make a route of Google's surface. `answer` None: the method is refused, and documents leave it out."""
    return Route(
        method,
        path,
        handler,
        answer or Nothing,
        body=body,
        query=query,
        errors=ERRORS,
        problem=answers.GoogleProblemDocument,
        documented=answer is not None,
        shared=payloads.STANDARD,
        headers=headers or {},
    )


ROUTES = (
    route("GET", f"{CONNECTION}:checkStatus", check_status, answers.ConnectionStatus),
    route("GET", f"{CONNECTION}:checkReadiness", check_readiness, answers.Readiness),
    route("GET", f"{CONNECTION}/entityTypes", list_entity_types, answers.EntityTypeList, query=payloads.ViewQuery),
    route("GET", _TYPE, get_entity_type, answers.EntityType, query=payloads.ViewQuery),
    route("GET", _ENTITIES, list_entities, answers.EntityList, query=payloads.EntityQuery),
    route(
        "POST",
        _ENTITIES,
        create_entity,
        answers.Entity,
        body=payloads.EntityBody,
        headers={KEY_HEADER: f"Of messages: {KEY_DESCRIPTION}"},
    ),
    route("GET", _ENTITY, get_entity, answers.Entity),
    route("PATCH", _ENTITY, patch_entity, answers.Entity, body=payloads.EntityBody),
    route("DELETE", _ENTITY, delete_entity, Nothing),
    route(
        "POST",
        f"{_ENTITIES}:updateEntitiesWithConditions",
        update_entities_with_conditions,
        answers.ConditionalUpdate,
        query=payloads.ConditionQuery,
        body=payloads.EntityBody,
    ),
    route(
        "POST",
        f"{_ENTITIES}:deleteEntitiesWithConditions",
        delete_entities_with_conditions,
        Nothing,
        query=payloads.ConditionQuery,
    ),
    route("POST", f"{CONNECTION}:executeSqlQuery", execute_sql_query, answers.RowList, body=payloads.SqlBody),
)
