"""The calls of Google's agent kit, in its order: metadata by version 1, then ExecuteConnection."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.google_client import PARENT, check_answer
from tests.api.test_google_client import ROWS, Stage, make_stage

LOCATION = PARENT.partition("/connections/")[0]
EXECUTE = f"/v2/{LOCATION}/integrations/ExecuteConnection:execute?triggerId=api_trigger/ExecuteConnection"


@pytest.fixture
def stage() -> Stage:
    return make_stage(sends=True)


def get(stage: Stage, path: str) -> Any:
    answer = stage.wire.client.get(f"/v1/{path}")
    assert answer.status_code == 200, answer.json
    check_answer("GET", f"/v1/{path.partition('?')[0]}", answer)
    return answer.json


def post(stage: Stage, operation: str, **fields: Any) -> Any:
    body = {"connectionName": PARENT, "serviceName": "", "host": "", "operation": operation, **fields}
    answer = stage.wire.client.post(EXECUTE, json=body)
    check_answer("POST", EXECUTE.partition("?")[0], answer)
    return answer


def execute(stage: Stage, operation: str, **fields: Any) -> Any:
    answer = post(stage, operation, **fields)
    assert answer.status_code == 200, answer.json
    return answer.json["connectorOutputPayload"]


def test_the_connection(stage: Stage) -> None:
    found = get(stage, f"{PARENT}?view=BASIC")
    assert (found["name"], found["host"], found["serviceDirectory"], found["authOverrideEnabled"]) == (
        PARENT,
        "",
        "",
        False,
    )
    assert found["status"]["state"] == "ACTIVE"
    assert get(stage, f"{PARENT}/connectionSchemaMetadata")["entities"] == ["Letters", "Pages", "Events"]


def test_an_entity_type_is_an_operation_that_is_done(stage: Stage) -> None:
    begun = get(stage, f"{PARENT}/connectionSchemaMetadata:getEntityType?entityId=Letters")
    done = get(stage, begun["name"])
    assert done["done"]
    assert done["response"]["operations"] == ["LIST", "GET", "CREATE", "UPDATE", "DELETE"]
    assert done["response"]["jsonSchema"]["properties"]["To"]["type"] == ["string", "null"]


def test_an_action_has_both_names_of_its_result(stage: Stage) -> None:
    begun = get(stage, f"{PARENT}/connectionSchemaMetadata:getAction?actionId=SendMessage")
    response = get(stage, begun["name"])["response"]
    assert response["outputJsonSchema"] == response["resultJsonSchema"]
    assert response["displayName"] == "SendMessage"


def test_every_operation(stage: Stage) -> None:
    listed = post(
        stage, "LIST_ENTITIES", entity="Letters", pageSize=50, filterClause="Status='sent'", sortByColumns=["Sid"]
    )
    assert len(listed.json["connectorOutputPayload"]) == 50
    assert listed.json["nextPageToken"]
    got = execute(stage, "GET_ENTITY", entity="Letters", entityId="L001")
    assert got["To"] == ROWS[1][1]
    fields = {"To": "+15558675310", "Body": "Hello"}
    assert execute(stage, "CREATE_ENTITY", entity="Letters", connectorInputPayload=fields)["Sid"]
    update: dict[str, Any] = {"entity": "Letters", "connectorInputPayload": {"Body": ""}}
    assert execute(stage, "UPDATE_ENTITY", entityId="L001", **update) == {"Sid": "L001"}
    assert execute(stage, "UPDATE_ENTITY", filterClause="Sid IN ('L001','L002')", **update) == {"updated": 2}
    assert execute(stage, "DELETE_ENTITY", entity="Letters", entityId="L001") == {}
    [sent] = execute(stage, "EXECUTE_ACTION", action="SendMessage", connectorInputPayload=fields)
    assert sent["MessageId"].startswith("msg_")
    query = {
        "query": "SELECT count(*) AS n FROM Letters",
        "timeout": 120,
        "pageSize": 50,
        "action": "ExecuteCustomQuery",
    }
    assert execute(stage, "EXECUTE_QUERY", **query) == [{"n": 450}]


@pytest.mark.parametrize(
    ("operation", "fields", "status"),
    [
        ("LIST_ENTITIES", {}, 400),
        ("LIST_ENTITIES", {"entity": "Letters", "filterClause": "From='a'"}, 400),
        ("GET_ENTITY", {"entity": "Letters"}, 400),
        ("GET_ENTITY", {"entity": "Letter", "entityId": "x"}, 404),
        ("DELETE_ENTITY", {"entity": "Letters"}, 400),
        ("RUN", {}, 400),
        ("GET_ENTITY", {"entity": "Letters", "entityId": "L001", "dynamicAuthConfig": {"a": "b"}}, 400),
        (
            "GET_ENTITY",
            {"entity": "Letters", "entityId": "L001", "connectionName": "projects/p/connections/other"},
            404,
        ),
    ],
)
def test_what_is_refused(stage: Stage, operation: str, fields: dict[str, Any], status: int) -> None:
    answer = post(stage, operation, **fields)
    assert (answer.status_code, bool(answer.json["error"]["message"])) == (status, True)
    assert stage.world.calls == []


@pytest.mark.parametrize("operation", ["UPDATE_ENTITY", "DELETE_ENTITY"])
def test_an_id_is_never_a_condition(stage: Stage, operation: str) -> None:
    body = {"entity": "Letters", "entityId": "Sid LIKE 'L00%'", "connectorInputPayload": {"Body": ""}}
    post(stage, operation, **body)
    assert [name for name, _ in stage.world.calls] == [operation.partition("_")[0].lower()]


def test_an_operation_that_was_never_begun(stage: Stage) -> None:
    assert stage.wire.client.get(f"/v1/{LOCATION}/operations/other").status_code == 404
