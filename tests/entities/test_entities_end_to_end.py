"""The function as it is deployed, at the sandbox, called by Google's client: the examples of Google's connector page,
and what is Twilio's alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from sandbox import AdminClient, Options, Sandbox
from sandbox.options import Settings
from sms_connector.providers.twilio.entities import CATALOGUE
from tests.api.google_client import Wire, make_client, open_connector
from tests.fixtures.processes import connector_environ

PARENT = "projects/p/locations/l/connections/local"
EXAMPLES = json.loads(CATALOGUE.read_bytes())["seedExamples"]
MESSAGE = {
    "To": "whatsapp:+15558675310",
    "Sender": "whatsapp:+14155238886",
    "Body": "Message is sent from Google Cloud",
}
SENDER = "+15551234567"


@dataclass
class Live:
    connections: Any
    wire: Wire
    admin: AdminClient

    @property
    def entities(self) -> Any:
        return self.connections.entityTypes().entities()

    def put(self, kind: str, **fields: Any) -> str:
        [key] = self.admin.post("twilio/resources", {"type": kind, "fields": fields})["keys"]
        return str(key)

    def create(self, name: str, **fields: Any) -> Any:
        return self.entities.create(parent=parent(name), body={"fields": fields}).execute(num_retries=3)

    def list(self, name: str, **arguments: Any) -> list[dict[str, Any]]:
        answer = self.entities.list(parent=parent(name), **arguments).execute(num_retries=3)
        return [each["fields"] for each in answer.get("entities", [])]


def parent(name: str) -> str:
    return f"{PARENT}/entityTypes/{name}"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Options(settings=Settings(delivery_seconds=100.0))) as opened:
        yield opened


@pytest.fixture(scope="module")
def connector(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("connector")
    options = {"SMS_PROVIDER_OPTIONS": f"messagingUrl={sandbox.url}", "SMS_SENDER": SENDER}
    writes = {"SMS_ENTITY_WRITES": "Calls.CREATE,IncomingPhoneNumbers.CREATE"}
    return open_connector(connector_environ(folder, sandbox.url, **options, **writes))


@pytest.fixture
def live(sandbox: Sandbox, connector: Any) -> Live:
    sandbox.admin.reset()
    connections, wire = make_client(connector)
    return Live(connections, wire, sandbox.admin)


def keep(live: Live, example: Mapping[str, Any]) -> None:
    """Put what an example names there."""
    kinds = {"Recordings": "Recordings", "Calls": "Calls", "OutgoingCallerIds": "OutgoingCallerIds"}
    if example["entity"] == "Feedback":
        live.put("Calls", sid=example["input"]["Sid"], status="completed")
    elif example["entity"] == "IncomingPhoneNumbers":
        live.put("IncomingPhoneNumbers", sid=example["id"], phone_number="+15550001111")
    elif example["entity"] in kinds and "id" in example:
        more = {"status": "completed"} if example["entity"] in ("Calls", "Recordings") else {}
        live.put(kinds[example["entity"]], sid=example["id"], **more)


def run_example(live: Live, example: Mapping[str, Any], entity_id: str | None, *, by_condition: bool) -> Any:
    entities, name = live.entities, example["entity"]
    body = {"fields": MESSAGE if name == "Messages" and example["operation"] == "CREATE" else example.get("input")}
    one = f"{parent(name)}/entities/{entity_id}"
    match example["operation"]:
        case "LIST":
            return entities.list(parent=parent(name)).execute()["entities"]
        case "GET":
            return entities.get(name=one).execute()["fields"]
        case "DELETE":
            return entities.delete(name=one).execute()
        case "CREATE":
            return entities.create(parent=parent(name), body=body).execute()["fields"]
        case _ if by_condition:
            update = entities.updateEntitiesWithConditions(entityType=parent(name), conditions=entity_id, body=body)
            return update.execute()["response"]
        case _:
            return entities.patch(name=one, body=body).execute()["fields"]


@pytest.mark.parametrize("by_condition", [False, True])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"{each['entity']} {each['operation']}")
def test_the_examples_of_the_connector_s_page(live: Live, example: Mapping[str, Any], by_condition: bool) -> None:
    live.admin.post("twilio/call-feedback", {"withdrawn": False})
    keep(live, example)
    entity_id = example.get("id")
    if example["entity"] == "Messages" and example["operation"] == "UPDATE":
        entity_id = live.create("Messages", To="+15558675310", Body="Hello")["fields"]["Sid"]
        live.admin.advance(200)
    answer = run_example(live, example, entity_id, by_condition=by_condition)
    if example["operation"] == "CREATE" and example["entity"] != "Feedback":
        assert set(answer) == {"Sid"}
    elif "output" in example:
        assert answer == example["output"]


def test_a_number_without_a_fraction_is_whole(live: Live) -> None:
    made = live.create("MessagingServices", Name="Orders", ValidityPeriod=600.0)["fields"]
    [row] = live.list("MessagingServices", conditions=made["Sid"])
    assert row["ValidityPeriod"] == 600
    live.create("Messages", To="+15558675310", Body="Hello", ValidityPeriod=600.0)
    assert live.admin.journal()[-1]["form"]["ValidityPeriod"] == "600"
    with pytest.raises(HttpError) as error:
        live.create("MessagingServices", Name="Orders", ValidityPeriod=600.5)
    assert "fields.ValidityPeriod: must be a whole number" in error.value.reason


def test_a_withdrawn_type_says_so(live: Live) -> None:
    with pytest.raises(HttpError) as error:
        live.create("Feedback", Sid="CA" + "0" * 32, QualityScore=5)
    assert error.value.status_code == 404
    assert error.value.error_details[-1]["reason"] == "PROVIDER_WITHDRAWN"


def test_messages_are_sent_listed_found_and_counted(live: Live) -> None:
    sids = [live.create("Messages", To=f"+1555867531{n}", Body=f"Hello <{n}>")["fields"]["Sid"] for n in range(3)]
    assert [row["Body"] for row in live.list("Messages", conditions="To='+15558675311'")] == ["Hello <1>"]
    assert {row["Sid"] for row in live.list("Messages")} == set(sids)
    query = {"query": {"query": "SELECT Sender, count(*) AS n FROM Messages GROUP BY 1"}}
    rows = live.connections.executeSqlQuery(connection=PARENT, body=query).execute()["results"]
    assert rows == [{"Sender": SENDER, "n": 3}]


def test_a_message_whose_answer_is_lost_is_found_and_made_once(live: Live) -> None:
    live.admin.fault("unreadable_2xx", count=1)
    made = live.create("Messages", To="+15558675310", Body="Hello")
    assert [row["Sid"] for row in live.list("Messages")] == [made["fields"]["Sid"]]


def test_who_has_opted_out_is_not_sent_to(live: Live) -> None:
    live.wire.client.open("/v1/optOuts/+15558675999", method="PUT", json={})
    with pytest.raises(HttpError) as error:
        live.create("Messages", To="+15558675999", Body="Hello")
    assert (error.value.status_code, error.value.error_details[-1]["reason"]) == (400, "OPTED_OUT")
    assert live.list("Messages") == []


def test_a_call_whose_answer_is_lost_is_made_once(live: Live) -> None:
    live.admin.fault("unreadable_2xx", count=1)
    with pytest.raises(HttpError) as error:
        live.create("Calls", To="+15558675310", Sender=SENDER, Url="https://example.com/hook")
    assert error.value.status_code == 409
    assert error.value.error_details[-1]["reason"] == "OUTCOME_UNKNOWN"
    assert len(live.list("Calls")) == 1


def test_a_message_has_one_sender(live: Live) -> None:
    with pytest.raises(HttpError) as error:
        live.create("Messages", To="+15558675310", Body="x", Sender=SENDER, MessagingServiceSid="MG" + "0" * 32)
    assert error.value.status_code == 400
    assert live.list("Messages") == []
