"""Google's client for Integration Connectors, unchanged: every method, errors as it reads them, nothing made twice."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from googleapiclient import discovery_cache as documents
from googleapiclient.errors import HttpError
from msgspec.structs import replace

from sms_connector.api.problems import MethodNotAllowed
from sms_connector.api.routing import Route
from sms_connector.api.services import ConnectionProfile, Services
from sms_connector.entities.service import Entities
from sms_connector.entity import Action
from sms_connector.errors import ErrorKind, NotFound, NotSent, OutcomeUnknown, ProviderRefused, Throttled
from sms_connector.structured_log import StructuredLog
from tests.api.conftest import CAPABILITIES, PROFILE, make_app
from tests.api.google_client import PARENT, ROUTER, Wire, build_locations, make_client
from tests.entities.entity_world import LETTERS, World, make_letters
from tests.fixtures.engine_double import NOW, EngineDouble

ROWS = make_letters(450)
TYPE = f"{PARENT}/entityTypes/Letters"
SENT = {"To": "to", "Sender": "sender", "Body": "message"}
ACTIONS = (
    Action(
        "SendMessage", "Send a message", "Letters", "CREATE", ("To", "Sender", "Body"), ("Sid", "Status", "MessageId")
    ),
    Action("RedactMessage", "Delete a text", "Letters", "UPDATE", ("Sid",), ("Sid",), {"Body": ""}),
)


@dataclass
class Stage:
    connections: Any
    wire: Wire
    world: World
    double: EngineDouble
    log: io.StringIO

    @property
    def types(self) -> Any:
        return self.connections.entityTypes()

    @property
    def entities(self) -> Any:
        return self.types.entities()


def make_stage(
    *,
    sends: bool = False,
    writes: str = "Letters.DELETE",
    tools: str = "",
    profile: ConnectionProfile = PROFILE,
    **world: Any,
) -> Stage:
    source = World(list(ROWS), **world)
    if sends:
        source.types = {**source.types, "Letters": replace(LETTERS, send_fields=SENT, create_rules=(("Body",),))}
        source.message_type = "Letters"
        source.actions = ACTIONS
    entities = Entities(source, writes=frozenset(writes.split()), now=lambda: 0.0)
    double, log = EngineDouble(), io.StringIO()
    services = Services(
        engine=double.engine,
        profile=profile,
        capabilities=CAPABILITIES,
        log=StructuredLog("sms", "info", "a-project", stream=log, now=lambda: NOW),
        notifications=double.notifications,
        now=lambda: NOW,
        make_entities=lambda: entities,
        mcp_tools=tuple(tools.split()),
    )
    connections, wire = make_client(make_app(services).test_client())
    return Stage(connections, wire, source, double, log)


@pytest.fixture
def stage() -> Stage:
    return make_stage()


@pytest.fixture
def sending() -> Stage:
    return make_stage(sends=True)


def run(request: Any) -> Any:
    return request.execute(num_retries=3)


def refused(request: Any) -> HttpError:
    with pytest.raises(HttpError) as error:
        run(request)
    return error.value


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own pause between its repetitions."""
    monkeypatch.setattr("googleapiclient.http.time.sleep", lambda seconds: None)


class TestConnection:
    def test_state(self, stage: Stage) -> None:
        assert run(stage.connections.checkStatus(name=PARENT))["state"] == "ACTIVE"
        assert run(stage.connections.checkReadiness(name=PARENT)) == {"status": "READY"}

    def test_what_is_not_offered(self, stage: Stage) -> None:
        for method in ("exchangeAuthCode", "refreshAccessToken", "executeHttpRequest"):
            error = refused(getattr(stage.connections, method)(name=PARENT, body={}))
            assert (error.status_code, error.error_details[0]["reason"]) == (501, "UNSUPPORTED")

    def test_what_there_is_none_of(self, stage: Stage) -> None:
        assert run(stage.connections.listCustomToolNames(name=PARENT)) == {}
        assert run(stage.connections.resources().list(parent=PARENT)) == {}
        assert refused(stage.connections.resources().get(name=f"{PARENT}/resources/a/b")).status_code == 404
        request = stage.connections.resources().getResourcePost(name=f"{PARENT}/resources/a", body={})
        assert refused(request).status_code == 404

    def test_another_connection(self, stage: Stage) -> None:
        other = PARENT.replace("connections/sms", "connections/other")
        error = refused(stage.types.list(parent=other))
        assert error.status_code == 404
        assert "this is sms" in error.reason


class TestTypes:
    def test_they_are_listed_by_pages(self, stage: Stage) -> None:
        request = stage.types.list(parent=PARENT, pageSize=2, view="ENTITY_TYPE_VIEW_BASIC")
        names = []
        while request is not None:
            answer = run(request)
            names += [each["name"] for each in answer["types"]]
            request = stage.types.list_next(request, answer)
        assert names == ["Letters", "Pages", "Events"]

    def test_a_type_is_described(self, stage: Stage) -> None:
        letters = run(stage.types.get(name=TYPE))
        assert letters["operations"] == ["LIST", "GET", "CREATE", "UPDATE", "DELETE"]
        fields = {each["name"]: each for each in letters["fields"]}
        assert (fields["Sid"]["key"], fields["DateSent"]["dataType"]) == (True, "TIMESTAMP")
        assert "required on create" in fields["To"]["description"]
        assert "additionalDetails" not in fields["To"]
        properties = letters["jsonSchema"]["properties"]
        assert properties["Sid"] == {"type": ["string"], "description": "set by the provider", "readOnly": True}
        assert properties["ErrorCode"]["type"] == ["integer", "null"]
        enriched = run(stage.types.get(name=TYPE, view="ENTITY_TYPE_SCHEMA_VIEW_ENRICHED"))
        assert enriched["fields"][1]["additionalDetails"]["requiredOnCreate"] is True

    def test_an_unknown_type(self, stage: Stage) -> None:
        assert "did you mean Letters?" in refused(stage.types.get(name=f"{TYPE[:-1]}")).reason


class TestEntities:
    def test_they_are_listed_by_pages(self, stage: Stage) -> None:
        request = stage.entities.list(
            parent=TYPE, pageSize=200, conditions="Status='sent'", sortBy="Sid", sortOrder="DESC"
        )
        ids = []
        while request is not None:
            answer = run(request)
            ids += [each["fields"]["Sid"] for each in answer["entities"]]
            request = stage.entities.list_next(request, answer)
        assert ids == sorted((row[0] for row in ROWS if row[4] == "sent"), reverse=True)
        assert stage.wire.answers[-1].headers["X-Provider-Calls"] == "2"

    def test_an_entity_has_its_name_and_fields(self, stage: Stage) -> None:
        found = run(stage.entities.get(name=f"{TYPE}/entities/L013"))
        assert found["name"] == f"{TYPE}/entities/L013"
        assert found["fields"]["DateSent"] is None
        assert set(found["fields"]) == {column.name for column in LETTERS.readable}

    def test_a_long_condition_is_a_list_and_no_create(self, stage: Stage) -> None:
        conditions = " OR ".join(f"Sid || '' = 'L{number:03}'" for number in range(150))
        found = run(stage.entities.list(parent=TYPE, conditions=conditions, pageSize=200))
        assert stage.wire.requests[-1][0] == "POST"
        assert len(found["entities"]) == 150
        assert {name for name, _ in stage.world.calls} == {"list"}

    def test_every_standard_parameter_is_taken(self, stage: Stage) -> None:
        more = {
            "fields": "name",
            "key": "k",
            "quotaUser": "q",
            "prettyPrint": True,
            "access_token": "t",
            "x__xgafv": "1",
        }
        run(stage.entities.get(name=f"{TYPE}/entities/L013", executionConfig_headers='{"a":"b"}', **more))
        assert "access_token" not in stage.log.getvalue()
        assert refused(stage.entities.get(name=f"{TYPE}/entities/L013", callback="x")).status_code == 400

    def test_a_create(self, stage: Stage) -> None:
        made = run(stage.entities.create(parent=TYPE, body={"fields": {"To": "+1", "Body": "x"}}))
        assert made == {"name": f"{TYPE}/entities/L999", "fields": {"Sid": "L999"}}

    def test_an_update(self, stage: Stage) -> None:
        made = run(stage.entities.patch(name=f"{TYPE}/entities/L001", body={"fields": {"Body": ""}}))
        assert made["fields"] == {"Sid": "L001"}

    def test_a_delete(self, stage: Stage) -> None:
        assert run(stage.entities.delete(name=f"{TYPE}/entities/L001")) == {}
        assert refused(stage.entities.delete(name=f"{TYPE}/entities/L999")).status_code == 404

    def test_by_condition(self, stage: Stage) -> None:
        update, delete = stage.entities.updateEntitiesWithConditions, stage.entities.deleteEntitiesWithConditions
        body = {"fields": {"Body": ""}}
        assert run(update(entityType=TYPE, conditions="L001", body=body)) == {"response": {"Sid": "L001"}}
        found = run(update(entityType=TYPE, conditions="Sid IN ('L001', 'L002')", body=body))
        assert found == {"response": {"updated": 2}}
        assert run(delete(entityType=TYPE, conditions="Sid = 'L001'")) == {}
        for conditions in (None, "", "1=1"):
            assert refused(delete(entityType=TYPE, conditions=conditions)).status_code == 400

    def test_sql(self, stage: Stage) -> None:
        query = {
            "query": "SELECT count(*) AS n FROM Letters WHERE Status = ?",
            "maxRows": "10",
            "timeout": "5",
            "queryParameters": [{"value": "sent", "dataType": "VARCHAR"}],
        }
        assert run(stage.connections.executeSqlQuery(connection=PARENT, body={"query": query})) == {
            "results": [{"n": 150}]
        }
        error = refused(stage.connections.executeSqlQuery(connection=PARENT, body={"query": {"query": "DROP TABLE x"}}))
        assert error.error_details[0]["fieldViolations"][0]["field"] == "query.query"


class TestErrors:
    @pytest.mark.parametrize(
        ("failure", "status", "code", "reason"),
        [
            (OutcomeUnknown("lost"), 409, "ABORTED", "OUTCOME_UNKNOWN"),
            (ProviderRefused("no", kind=ErrorKind.OTHER, code=21201), 400, "INVALID_ARGUMENT", "PROVIDER_REFUSED"),
            (ProviderRefused("no", kind=ErrorKind.OTHER, status=409), 409, "ABORTED", "PROVIDER_REFUSED"),
            (ProviderRefused("no", kind=ErrorKind.NOT_FOUND, status=404), 404, "NOT_FOUND", "PROVIDER_REFUSED"),
        ],
    )
    def test_what_is_not_repeated(self, failure: Exception, status: int, code: str, reason: str) -> None:
        stage = make_stage(fails_at=0, failure=failure)
        error = refused(stage.entities.create(parent=TYPE, body={"fields": {"To": "+1", "Body": "x"}}))
        assert (error.status_code, error.error_details[-1]["reason"]) == (status, reason)
        assert json.loads(error.content)["error"]["status"] == code
        assert len(stage.wire.requests) == 1

    @pytest.mark.parametrize(
        ("failure", "status", "code"),
        [
            (Throttled("busy", retry_after=3.0), 429, "RESOURCE_EXHAUSTED"),
            (NotSent("429", kind=ErrorKind.RATE_LIMITED), 429, "RESOURCE_EXHAUSTED"),
            (NotSent("slow", kind=ErrorKind.TIMEOUT), 504, "DEADLINE_EXCEEDED"),
            (NotSent("no way"), 502, "UNAVAILABLE"),
            (ProviderRefused("no", kind=ErrorKind.AUTHENTICATION, status=401), 502, "UNAVAILABLE"),
        ],
    )
    def test_what_is_repeated(self, failure: Exception, status: int, code: str) -> None:
        stage = make_stage(fails_at=0, failure=failure)
        error = refused(stage.entities.get(name=f"{TYPE}/entities/L001"))
        assert (error.status_code, json.loads(error.content)["error"]["status"]) == (status, code)
        assert len(stage.wire.requests) == 4

    def test_every_detail_has_a_type(self, stage: Stage) -> None:
        error = refused(stage.entities.list(parent=TYPE, conditions="From='a'"))
        assert error.reason == "conditions: at position 1: From is called Sender here"
        assert [each["@type"].rpartition(".")[2] for each in error.error_details] == ["BadRequest", "ErrorInfo"]

    @pytest.mark.parametrize(("given", "size"), [(3, 3), (3.0, 3), ("3", 3), (-3, 0), (2.5, 0), (-1.0, 0), (True, 0)])
    def test_a_whole_number_is_one_however_it_is_written(self, stage: Stage, given: Any, size: int) -> None:
        """Google's wire has texts, agents have 3.0; a negative size is nowhere a size."""
        execute = f"/v2/{PARENT.partition('/connections/')[0]}/integrations/ExecuteConnection:execute"
        listed = {"connectionName": PARENT, "operation": "LIST_ENTITIES", "entity": "Letters", "pageSize": given}
        statement = {"query": "SELECT Sid FROM Letters", "maxRows": given}
        queried = {"query": statement["query"], "pageSize": given}
        for path, body, found in (
            (execute, listed, "connectorOutputPayload"),
            (f"/v2/{PARENT}:executeSqlQuery", {"query": statement}, "results"),
            (f"/v2/{PARENT}/actions/ExecuteCustomQuery:execute", {"parameters": queried}, "results"),
            (f"/v2/{PARENT}/tools/list_letters:execute", {"parameters": {"pageSize": given}}, "result"),
        ):
            answer = stage.wire.client.post(path, json=body)
            rows = answer.json.get(found, {})
            shown = len(rows["rows"] if found == "result" and rows else rows)
            assert (answer.status_code, shown) == (200 if size else 400, size), (path, answer.text)

    def test_what_is_switched_off(self) -> None:
        stage = make_stage(writes="")
        error = refused(stage.entities.delete(name=f"{TYPE}/entities/L001"))
        assert error.status_code == 403
        assert "SMS_ENTITY_WRITES=Letters.DELETE" in error.reason

    @pytest.mark.parametrize(
        "arguments",
        [
            {"pageSize": -1},
            {"pageToken": "x"},
            {"sortBy": ["Sid", "To"]},
            {"sortOrder": ["ASC"]},
            {"sortBy": "Sid", "sortOrder": "UP"},
            {"conditions": "Status ="},
        ],
    )
    def test_arguments_that_are_wrong(self, stage: Stage, arguments: dict[str, Any]) -> None:
        assert refused(stage.entities.list(parent=TYPE, **arguments)).status_code == 400
        assert stage.world.calls == []

    def test_a_suspended_connection(self, stage: Stage) -> None:
        from sms_connector.errors import PreconditionFailed

        stage.double.fail_with["require_active"] = PreconditionFailed("suspended", kind=ErrorKind.SUSPENDED)
        error = refused(stage.entities.get(name=f"{TYPE}/entities/L001"))
        assert (error.status_code, json.loads(error.content)["error"]["status"]) == (400, "FAILED_PRECONDITION")


class TestMessages:
    def create(self, stage: Stage, **fields: Any) -> Any:
        return stage.entities.create(parent=TYPE, body={"fields": {"To": "+15558675310", "Body": "Hello", **fields}})

    def test_creating_one_is_a_send(self, sending: Stage) -> None:
        made = run(self.create(sending, Sender="+15551234567", Body="<b>Hello</b>"))
        [request] = sending.double.requests
        assert [draft.text for draft in request.drafts] == ["<b>Hello</b>"]
        assert request.options.sender == "+15551234567"
        assert made["fields"]["Sid"]
        assert sending.world.calls == []

    def test_a_key_makes_it_once(self, sending: Stage) -> None:
        sending.wire.headers["Idempotency-Key"] = "order-1"
        first, second = run(self.create(sending)), run(self.create(sending))
        assert first == second
        assert len(sending.double.requests) == 1

    def test_what_is_wrong_is_named_as_it_was_written(self, sending: Stage) -> None:
        error = refused(self.create(sending, To="123"))
        assert error.error_details[0]["fieldViolations"][0]["field"] == "fields.To"
        assert refused(self.create(sending, Price=1)).status_code == 400

    def test_an_unknown_outcome_is_no_reason_to_repeat(self, sending: Stage) -> None:
        sending.double.fail_with["send"] = OutcomeUnknown("lost")
        assert refused(self.create(sending)).status_code == 409
        assert len(sending.double.requests) == 1

    @pytest.mark.parametrize("way", ["entity", "action", "tool"])
    def test_no_way_of_sending_makes_two(self, sending: Stage, way: str) -> None:
        """The client repeats a send where the provider surely has none, and only there."""
        body = {"parameters": {"To": "+15558675310", "Body": "Hello"}}
        actions, tools = sending.connections.actions(), sending.connections.tools()
        requests = {
            "entity": lambda: self.create(sending),
            "action": lambda: actions.execute(name=f"{PARENT}/actions/SendMessage", body=body),
            "tool": lambda: tools.execute(name=f"{PARENT}/tools/send_message", body=body),
        }
        sending.double.fail_with["send"] = NotSent("no way")
        run(requests[way]())
        assert [answer.status_code for answer in sending.wire.answers] == [502, 200]
        sending.double.fail_with["send"] = OutcomeUnknown("lost")
        assert refused(requests[way]()).status_code == 409
        assert len(sending.wire.answers) == 3

    def test_actions(self, sending: Stage) -> None:
        actions = sending.connections.actions()
        listed = run(actions.list(parent=PARENT))["actions"]
        assert [each["name"] for each in listed] == ["SendMessage", "RedactMessage", "ExecuteCustomQuery"]
        described = run(actions.get(name=f"{PARENT}/actions/SendMessage"))
        assert set(described["inputJsonSchema"]["properties"]) == {"To", "Sender", "Body"}
        assert described["inputJsonSchema"]["required"] == ["To"]

        def execute(name: str, **parameters: Any) -> Any:
            return run(actions.execute(name=f"{PARENT}/actions/{name}", body={"parameters": parameters}))["results"]

        [sent] = execute("SendMessage", To="+15558675310", Body="Hello")
        assert sent["MessageId"].startswith("msg_")
        assert execute("RedactMessage", Sid="L001") == [{"Sid": "L001"}]
        assert execute("ExecuteCustomQuery", query="SELECT count(*) AS n FROM Letters", timeout=120) == [{"n": 450}]
        error = refused(actions.execute(name=f"{PARENT}/actions/SendMessage", body={"parameters": {"X": 1}}))
        assert error.status_code == 400

    def test_what_an_action_takes_is_never_described_as_read_only(self, sending: Stage) -> None:
        """The id is, in its entity type; an agent would leave out what it must give."""
        described = run(sending.connections.actions().get(name=f"{PARENT}/actions/RedactMessage"))
        assert described["inputJsonSchema"]["properties"] == {"Sid": {"type": ["string"], "description": "required"}}
        assert described["inputParameters"] == [
            {"name": "Sid", "description": "required", "dataType": "VARCHAR", "nullable": False}
        ]
        [tool] = run(sending.connections.tools().list(parent=PARENT, toolNames="redact_message"))["tools"]
        assert tool["inputSchema"]["properties"] == described["inputJsonSchema"]["properties"]
        query = run(sending.connections.actions().get(name=f"{PARENT}/actions/ExecuteCustomQuery"))["inputJsonSchema"]
        assert (query["required"], query["properties"]["pageSize"]["type"]) == (["query"], ["integer", "null"])

    def test_tools(self, sending: Stage) -> None:
        tools = sending.connections.tools()
        names = [each["name"] for each in run(tools.list(parent=PARENT))["tools"]]
        assert names == [
            "list_entity_types",
            "describe_entity_type",
            "list_entities",
            "get_entity",
            "query",
            "send_message",
            "redact_message",
        ]
        named = run(tools.list(parent=PARENT, toolNames=["list_letters", "delete_letters"]))["tools"]
        assert [each["annotations"].get("destructiveHint") for each in named] == [None, True]

        def execute(name: str, **parameters: Any) -> Any:
            return run(tools.execute(name=f"{PARENT}/tools/{name}", body={"parameters": parameters}))["result"]

        assert execute("list_entities", entityType="Letters", conditions="Sid='L001'")["rows"][0]["Sid"] == "L001"
        assert execute("list_letters", pageSize=2)["nextPageToken"]
        assert execute("get_entity", entityType="Letters", entityId="L001")["fields"]["Sid"] == "L001"
        assert execute("get_letters", entityId="L001")["fields"]["Sid"] == "L001"
        assert execute("query", query="SELECT 1 AS a") == {"rows": [{"a": 1}]}
        assert execute("send_message", To="+15558675310", Body="Hello")["Sid"]
        assert execute("create_letters", fields={"To": "+15558675310", "Body": "Hello"})["Sid"]
        assert execute("update_letters", entityId="L001", fields={"Body": ""}) == {"Sid": "L001"}
        assert execute("delete_letters", entityId="L001") == {}
        assert len(execute("list_entity_types")["entityTypes"]) == 3
        assert execute("describe_entity_type", entityType="Pages")["name"] == "Pages"
        for name, given in (("query", {}), ("query", {"query": 1}), ("query", {"query": "SELECT 1", "x": 1})):
            error = refused(tools.execute(name=f"{PARENT}/tools/{name}", body={"parameters": given}))
            assert error.status_code == 400
        assert refused(tools.execute(name=f"{PARENT}/tools/nothing", body={})).status_code == 404

    def test_tools_in_a_body_which_the_client_can_t_ask_for(self, sending: Stage) -> None:
        answer = sending.wire.client.post(f"/v2/{PARENT}/tools", json={"toolNames": ["query"]})
        assert [each["name"] for each in answer.json["tools"]] == ["query"]

    def test_a_specification_of_tools(self, sending: Stage) -> None:
        body = {"toolNames": [{"entityName": "Letters", "operation": "GET"}, {"name": "query"}]}
        spec = run(sending.connections.generateConnectionToolspecOverride(name=PARENT, body=body))["toolSpec"]
        assert [each["name"] for each in spec["toolDefinitions"]] == ["get_letters", "query"]


class TestDiscovery:
    """The discovery documents that come with Google's client."""

    def test_every_method_of_version_2_has_a_route(self) -> None:
        methods = list(methods_of(read_discovery("v2")))
        assert len(methods) == 26
        assert all(route_of(method) for method in methods)

    @pytest.mark.parametrize(("version", "answered"), [("v1", 9), ("v2", 21)])
    def test_answers_have_no_field_that_google_s_have_not(self, version: str, answered: int) -> None:
        document = read_discovery(version)
        documented = [
            (route.answer, method["response"]["$ref"])
            for method in methods_of(document)
            if (route := route_of(method)) is not None and route.documented
        ]
        assert len(documented) == answered
        assert {extra for kind, name in documented for extra in extra_fields(kind, name, document["schemas"])} == set()


def extra_fields(kind: Any, name: str, schemas: dict[str, Any]) -> Iterator[str]:
    """Yield the fields of a type, and of the types within, that the schema of this name does not have."""
    known = schemas[name].get("properties", {})
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in known:
            yield f"{name}.{field.encode_name}"
            continue
        inner = known[field.encode_name].get("items", known[field.encode_name]).get("$ref")
        for each in parts_of(field.type):
            if inner and isinstance(each, type) and issubclass(each, msgspec.Struct):
                yield from extra_fields(each, inner, schemas)


def parts_of(kind: Any) -> Iterator[Any]:
    yield kind
    for each in get_args(kind):
        yield from parts_of(each)


def read_discovery(version: str) -> dict[str, Any]:
    folder = Path(documents.__file__).parent / "documents"
    document: dict[str, Any] = json.loads((folder / f"connectors.{version}.json").read_text())
    return document


def methods_of(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from resource.get("methods", {}).values()
    for each in resource.get("resources", {}).values():
        yield from methods_of(each)


def route_of(method: dict[str, Any]) -> Route | None:
    path = re.sub(r"{\w+}", "x", method["flatPath"])
    try:
        return ROUTER.match(method["httpMethod"], f"/{path}")[0]
    except (NotFound, MethodNotAllowed):
        return None


class TestVersion1:
    """`build("connectors", "v1")`: the connection and its schemas are read, and never changed."""

    @pytest.fixture
    def v1(self, sending: Stage) -> Any:
        return build_locations(sending.wire, "v1").connections()

    def test_the_connection(self, v1: Any) -> None:
        found = run(v1.get(name=PARENT))
        assert (found["name"], found["status"]["state"]) == (PARENT, "ACTIVE")
        assert found["connectorVersion"].endswith("/providers/twilio/connectors/twilio/versions/1")
        metadata = run(v1.getConnectionSchemaMetadata(name=f"{PARENT}/connectionSchemaMetadata"))
        assert metadata["actions"] == ["SendMessage", "RedactMessage", "ExecuteCustomQuery"]

    def test_its_nodes(self) -> None:
        stage = make_stage(profile=replace(PROFILE, nodes_min=2, nodes_max=50))
        found = run(build_locations(stage.wire, "v1").connections().get(name=PARENT))
        assert found["nodeConfig"] == {"minNodeCount": 2, "maxNodeCount": 50}

    def test_entity_types_are_listed_under_both_names(self, v1: Any) -> None:
        request = v1.connectionSchemaMetadata().listEntityTypes(name=f"{PARENT}/connectionSchemaMetadata", pageSize=2)
        listed = []
        while request is not None:
            answer = run(request)
            listed += answer["entityTypes"]
            request = v1.connectionSchemaMetadata().listEntityTypes_next(request, answer)
        assert [each["entity"] for each in listed] == ["Letters", "Pages", "Events"]
        [letters] = run(v1.runtimeEntitySchemas().list(parent=PARENT, filter='entity="Letters"'))[
            "runtimeEntitySchemas"
        ]
        assert letters == listed[0]
        fields = {each["field"]: each for each in letters["fields"]}
        assert (fields["Sid"]["key"], fields["DateSent"]["dataType"]) == (True, "DATA_TYPE_TIMESTAMP")
        assert letters["operations"] == ["LIST", "GET", "CREATE", "UPDATE", "DELETE"]

    def test_actions_are_listed_under_both_names(self, v1: Any) -> None:
        listed = run(v1.connectionSchemaMetadata().listActions(name=f"{PARENT}/connectionSchemaMetadata"))["actions"]
        assert [each["action"] for each in listed] == ["SendMessage", "RedactMessage", "ExecuteCustomQuery"]
        wanted = v1.runtimeActionSchemas().list(parent=PARENT, filter="action = 'RedactMessage'", schemaAsString=True)
        [redact] = run(wanted)["runtimeActionSchemas"]
        assert redact["inputParameters"][0]["parameter"] == "Sid"
        assert redact["resultMetadata"][0]["field"] == "Sid"
        assert json.loads(redact["inputSchemaAsString"]) == redact["inputJsonSchema"]
        assert json.loads(redact["resultSchemaAsString"]) == redact["resultJsonSchema"]
        assert "inputSchemaAsString" not in listed[0]
        assert refused(v1.runtimeActionSchemas().list(parent=PARENT, filter="name:x")).status_code == 400

    def test_operations_are_done_when_they_are_asked_for(self, v1: Any, sending: Stage) -> None:
        metadata, operations = v1.connectionSchemaMetadata(), build_locations(sending.wire, "v1").operations()
        for begun, described in (
            (metadata.getEntityType(name=f"{PARENT}/connectionSchemaMetadata", entityId="Letters"), "Letters"),
            (metadata.getAction(name=f"{PARENT}/connectionSchemaMetadata", actionId="SendMessage"), "SendMessage"),
        ):
            operation = run(operations.get(name=run(begun)["name"]))
            assert (operation["done"], operation["response"]["name"]) == (True, described)

    def test_nothing_of_it_is_changed(self, v1: Any) -> None:
        location, metadata = PARENT.partition("/connections/")[0], f"{PARENT}/connectionSchemaMetadata"
        for request in (
            v1.create(parent=location, connectionId="other", body={"description": "x"}),
            v1.patch(name=PARENT, updateMask="description", body={"description": "x"}),
            v1.delete(name=PARENT),
            v1.repairEventing(name=PARENT, body={}),
            v1.setIamPolicy(resource=PARENT, body={}),
            v1.connectionSchemaMetadata().refresh(name=metadata, body={}),
            v1.eventSubscriptions().create(parent=PARENT, body={}),
        ):
            error = refused(request)
            assert (error.status_code, json.loads(error.content)["error"]["status"]) == (501, "UNIMPLEMENTED")
            assert "managed by Pulumi" in error.reason


def test_an_override_of_something_else_is_no_list() -> None:
    stage = make_stage()
    answer = stage.wire.client.post(f"/v2/{TYPE}/entities", json={}, headers={"X-HTTP-Method-Override": "GET"})
    assert answer.status_code == 400
    assert stage.world.calls == []


def test_a_path_that_is_none() -> None:
    stage = make_stage()
    assert stage.wire.client.get(f"/v2/{PARENT}/nothing").json["error"]["status"] == "NOT_FOUND"
    answer = stage.wire.client.put(f"/v2/{TYPE}")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_what_is_only_refused_is_not_allowed() -> None:
    stage = make_stage()
    assert stage.wire.client.put(f"/v1/{PARENT}").headers["Allow"] == "GET, HEAD"
    assert stage.wire.client.get(f"/v1/{PARENT}:repairEventing").headers["Allow"] == "POST"
