"""The connector at Infobip's simulator, called by Google's client: messages are listed, rescheduled and canceled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from googleapiclient.errors import HttpError
from werkzeug.test import Client

from sandbox import AdminClient, Sandbox
from tests.api.google_client import Wire, make_client, open_connector
from tests.fixtures.processes import connector_environ

PARENT = "projects/p/locations/l/connections/local"
WRITES = "ScheduledBulks.UPDATE,ScheduledBulkStatuses.UPDATE"
TO = "+447700900123"


@dataclass
class Live:
    connections: Any
    wire: Wire
    admin: AdminClient

    def send(self, to: str = TO, **fields: Any) -> str:
        """Send by the connector, and return the message's id."""
        body = {"to": to, "message": f"Hello {to}", **fields}
        answer = self.wire.client.post("/v1/messages:send", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json["results"][0]["id"])

    def list(self, name: str, conditions: str) -> list[dict[str, Any]]:
        call = self.connections.entityTypes().entities().list(parent=type_of(name), conditions=conditions)
        return [each["fields"] for each in call.execute(num_retries=3).get("entities", [])]

    def get(self, name: str, entity_id: str) -> dict[str, Any]:
        call = self.connections.entityTypes().entities().get(name=f"{type_of(name)}/entities/{entity_id}")
        return dict(call.execute(num_retries=3)["fields"])

    def patch(self, name: str, entity_id: str, **fields: Any) -> dict[str, Any]:
        one = f"{type_of(name)}/entities/{entity_id}"
        call = self.connections.entityTypes().entities().patch(name=one, body={"fields": fields})
        return dict(call.execute(num_retries=3)["fields"])

    def query(self, statement: str) -> Any:
        body = {"query": {"query": statement}}
        return self.connections.executeSqlQuery(connection=PARENT, body=body).execute(num_retries=3)["results"]

    def requests(self, path: str) -> list[Any]:
        return list(self.admin.journal(path=path))


def type_of(name: str) -> str:
    return f"{PARENT}/entityTypes/{name}"


def refused(call: Any, *arguments: Any, **fields: Any) -> HttpError:
    with pytest.raises(HttpError) as error:
        call(*arguments, **fields)
    return error.value


@pytest.fixture(scope="module")
def connector(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder = tmp_path_factory.mktemp("connector")
    return open_connector(connector_environ(folder, sandbox.url, "infobip", SMS_ENTITY_WRITES=WRITES))


@pytest.fixture
def live(sandbox: Sandbox, connector: Client) -> Live:
    sandbox.admin.reset()
    connections, wire = make_client(connector)
    return Live(connections, wire, sandbox.admin)


def later(hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_there_is(live: Live) -> None:
    types = live.connections.entityTypes().list(parent=PARENT).execute()["types"]
    operations = {each["name"]: each["operations"] for each in types}
    bulks = ["GET", "UPDATE"]
    assert operations == {"Logs": ["LIST", "GET"], "ScheduledBulks": bulks, "ScheduledBulkStatuses": bulks}


def test_messages_are_listed_found_and_counted(live: Live) -> None:
    first, _, refused_one = (live.send(to) for to in (TO, "+447700900124", "+15005550001"))
    assert live.get("Logs", first)["Text"] == f"Hello {TO}"
    rejected = live.list("Logs", "StatusGroup = 'REJECTED' AND SentAt >= YESTERDAY()")
    assert [row["MessageId"] for row in rejected] == [refused_one]
    query = live.requests("/sms/3/logs")[-1]["query"]
    assert (query["generalStatus"], "sentSince" in query) == ("REJECTED", True)
    counted = live.query("SELECT StatusGroup, count(*) AS n FROM Logs GROUP BY 1 ORDER BY 1")
    assert counted == [{"StatusGroup": "PENDING", "n": 2}, {"StatusGroup": "REJECTED", "n": 1}]


def test_a_scheduled_bulk_is_found_moved_paused_and_canceled(live: Live) -> None:
    sent = live.send(sendAt=later(2))
    bulk = live.get("Logs", sent)["BulkId"]
    assert live.get("ScheduledBulks", bulk)["SendAt"] == live.get("Logs", sent)["SentAt"]
    moved = later(5).replace("Z", ".000Z")
    assert live.patch("ScheduledBulks", bulk, SendAt=moved) == {"BulkId": bulk, "SendAt": moved}
    assert live.patch("ScheduledBulkStatuses", bulk, Status="PAUSED") == {"BulkId": bulk, "Status": "PAUSED"}
    joined = live.query(
        "SELECT b.SendAt, s.Status FROM Logs AS l JOIN ScheduledBulks AS b ON b.BulkId = l.BulkId "
        f"JOIN ScheduledBulkStatuses AS s ON s.BulkId = b.BulkId WHERE l.MessageId = '{sent}'"
    )
    assert joined == [{"SendAt": moved, "Status": "PAUSED"}]
    by_condition = (
        live.connections.entityTypes()
        .entities()
        .updateEntitiesWithConditions(
            entityType=type_of("ScheduledBulkStatuses"),
            conditions=f"BulkId = '{bulk}' AND Status = 'PAUSED'",
            body={"fields": {"Status": "CANCELED"}},
        )
    )
    assert by_condition.execute()["response"] == {"BulkId": bulk, "Status": "CANCELED"}
    assert live.get("Logs", sent)["Error"] == "EC_MESSAGE_CANCELED"


def test_a_bulk_that_does_not_exist(live: Live) -> None:
    assert refused(live.get, "ScheduledBulks", "none").status_code == 404
    assert refused(live.patch, "ScheduledBulkStatuses", "none", Status="PAUSED").status_code == 404
    asked = len(live.requests("/sms/1/bulks"))
    assert refused(live.get, "ScheduledBulks", "x" * 101).status_code == 404
    assert len(live.requests("/sms/1/bulks")) == asked


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("ScheduledBulks", {"SendAt": "tomorrow"}),
        ("ScheduledBulks", {"SendAt": None}),
        ("ScheduledBulks", {"BulkId": "other"}),
        ("ScheduledBulkStatuses", {"Status": "STOPPED"}),
        ("ScheduledBulkStatuses", {"Status": None}),
    ],
)
def test_a_wrong_change_makes_no_call(live: Live, name: str, fields: dict[str, Any]) -> None:
    assert refused(live.patch, name, "bulk-1", **fields).status_code == 400
    assert live.requests("/sms/1/bulks") == live.requests("/sms/1/bulks/status") == []


def test_a_change_whose_answer_is_lost_is_made_once(live: Live) -> None:
    sent = live.send(sendAt=later(2))
    bulk = live.get("Logs", sent)["BulkId"]
    live.admin.fault("unreadable_2xx", count=1)
    error = refused(live.patch, "ScheduledBulkStatuses", bulk, Status="CANCELED")
    assert (error.status_code, error.error_details[-1]["reason"]) == (409, "OUTCOME_UNKNOWN")
    assert len(live.requests("/sms/1/bulks/status")) == 1
    assert live.get("ScheduledBulkStatuses", bulk)["Status"] == "CANCELED"


def test_changes_are_off_until_they_are_named(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("quiet")
    connections, wire = make_client(open_connector(connector_environ(folder, sandbox.url, "infobip")))
    error = refused(Live(connections, wire, sandbox.admin).patch, "ScheduledBulks", "bulk-1", SendAt=later(1))
    assert (error.status_code, "SMS_ENTITY_WRITES=ScheduledBulks.UPDATE" in error.reason) == (403, True)
