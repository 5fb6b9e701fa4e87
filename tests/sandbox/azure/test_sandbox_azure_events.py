"""Event Grid: handshakes, events as the official packages read them, batches, repeats, inbound."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, SystemEventNames

from sandbox import AdminClient
from sandbox.client import AdminCallError
from tests.sandbox.azure.azure_client import FROM, TO, Api
from tests.sandbox.support import Received, Receiver

GRID, CLOUD = "EventGridSchema", "CloudEventSchemaV1_0"
AT_ONCE = {"beforeAnswer": 1}


def answer(got: Received) -> tuple[int, str]:
    """As an endpoint that wants events does."""
    if got.headers.get("aeg-event-type") != "SubscriptionValidation":
        return 200, ""
    (event,) = json.loads(got.body)
    return 200, json.dumps({"validationResponse": event["data"]["validationCode"]})


@pytest.fixture
def endpoint(receiver: Receiver) -> Receiver:
    receiver.answer = answer
    receiver.headers = {"WebHook-Allowed-Origin": "eventgrid.azure.net"}
    return receiver


def subscribe(admin: AdminClient, endpoint: Receiver, **more: Any) -> None:
    admin.post("azure/subscriptions", {"name": "one", "url": f"{endpoint.url}/hook?a=1", **more})
    endpoint.received.clear()


class TestHandshake:
    def test_the_event_grid_schema(self, admin: AdminClient, endpoint: Receiver) -> None:
        admin.post("azure/subscriptions", {"name": "one", "url": f"{endpoint.url}/hook?a=1"})
        (got,) = endpoint.received
        event = EventGridEvent.from_dict(json.loads(got.body)[0])
        assert event.event_type == SystemEventNames.EventGridSubscriptionValidationEventName
        assert set(event.data) == {"validationCode", "validationUrl"}
        assert (got.method, got.path, got.headers["aeg-subscription-name"]) == ("POST", "/hook?a=1", "ONE")
        assert [one["name"] for one in admin.get("azure/subscriptions")] == ["one"]

    def test_cloud_events(self, admin: AdminClient, endpoint: Receiver) -> None:
        admin.post("azure/subscriptions", {"url": endpoint.url, "schema": CLOUD})
        (got,) = endpoint.received
        assert (got.method, got.headers["WebHook-Request-Origin"]) == ("OPTIONS", "eventgrid.azure.net")

    @pytest.mark.parametrize(
        ("schema", "status", "text", "headers"),
        [
            pytest.param(GRID, 202, None, {}, id="accepted is not enough"),
            pytest.param(GRID, 200, "{}", {}, id="no code"),
            pytest.param(GRID, 200, "[1]", {}, id="no object"),
            pytest.param(GRID, 200, '{"validationResponse": "x"}', {}, id="another code"),
            pytest.param(GRID, 0, "", {}, id="no answer"),
            pytest.param(CLOUD, 200, "", {}, id="no origin"),
            pytest.param(CLOUD, 200, "", {"WebHook-Allowed-Origin": "evil.example"}, id="another origin"),
            pytest.param(CLOUD, 204, "", {"WebHook-Allowed-Origin": "*"}, id="no 200"),
        ],
    )
    def test_endpoints_that_are_not_subscribed(
        self,
        admin: AdminClient,
        receiver: Receiver,
        schema: str,
        status: int,
        text: str | None,
        headers: dict[str, str],
    ) -> None:
        receiver.headers = headers
        receiver.answer = lambda got: (status, answer(got)[1] if text is None else text)
        with pytest.raises(AdminCallError, match="did not pass the handshake"):
            admin.post("azure/subscriptions", {"url": receiver.url, "schema": schema})
        assert admin.get("azure/subscriptions") == []

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({}, "url"),
            ({"url": "http://x", "schema": "x"}, "schema"),
            ({"url": "http://x", "eventTypes": ["x"]}, "eventTypes"),
            ({"url": "http://x", "maxEventsPerBatch": 0}, "maxEventsPerBatch"),
        ],
    )
    def test_what_can_not_be_subscribed(self, admin: AdminClient, body: dict[str, Any], named: str) -> None:
        with pytest.raises(AdminCallError, match=f"^{named}:"):
            admin.post("azure/subscriptions", body)


class TestEvents:
    def test_a_report_in_the_event_grid_schema(self, azure: Api, admin: AdminClient, endpoint: Receiver) -> None:
        subscribe(admin, endpoint)
        admin.settings(callbacks=AT_ONCE)
        (item,) = azure.items(smsSendOptions={"enableDeliveryReport": True, "tag": "order-42"})
        (got,) = endpoint.received
        event = EventGridEvent.from_dict(json.loads(got.body)[0])
        assert event.event_type == SystemEventNames.AcsSmsDeliveryReportReceivedEventName
        assert event.subject == "/phonenumber/15551234567"
        assert len(event.data.pop("deliveryAttempts")) == 1
        assert event.data.pop("receivedTimestamp")
        assert event.data == {
            "messageId": item["messageId"],
            "from": "15551234567",
            "to": TO,
            "deliveryStatus": "Delivered",
            "deliveryStatusDetails": "No error.",
            "tag": "order-42",
        }
        named = [got.headers[name] for name in ("aeg-event-type", "aeg-delivery-count", "Content-Type")]
        assert named == ["Notification", "0", "application/json; charset=utf-8"]

    def test_a_failure_has_its_code(self, azure: Api, admin: AdminClient, endpoint: Receiver) -> None:
        subscribe(admin, endpoint, schema=CLOUD)
        admin.settings(callbacks=AT_ONCE)
        azure.items("+15005534005")
        (got,) = endpoint.received
        event = CloudEvent.from_dict(json.loads(got.body))
        assert event.data["deliveryStatus"] == "Failed"
        assert event.data["deliveryStatusDetails"].startswith("4005: ")
        assert got.headers["Content-Type"].startswith("application/cloudevents+json")

    @pytest.mark.parametrize(
        ("schema", "batch", "sizes"), [(GRID, 1, [1] * 5), (GRID, 3, [3, 2]), (CLOUD, 5, [5]), (CLOUD, 3, [3, 2])]
    )
    def test_batches(
        self, azure: Api, admin: AdminClient, endpoint: Receiver, schema: str, batch: int, sizes: list[int]
    ) -> None:
        subscribe(admin, endpoint, schema=schema, maxEventsPerBatch=batch)
        items = azure.items(*(f"+155586753{number:02}" for number in range(5)))
        admin.advance(100)
        bodies = [json.loads(got.body) for got in endpoint.wait_for(len(sizes))]
        assert sorted(map(len, bodies), reverse=True) == sizes
        reported = {event["data"]["messageId"] for body in bodies for event in body}
        assert reported == {item["messageId"] for item in items}

    def test_only_what_was_subscribed_to(self, azure: Api, admin: AdminClient, endpoint: Receiver) -> None:
        subscribe(admin, endpoint, eventTypes=["Microsoft.Communication.SMSReceived"])
        admin.settings(callbacks=AT_ONCE)
        azure.items()
        admin.inbound(provider="azure", to=FROM, from_=TO, body="x")
        assert len(endpoint.received) == 1

    def test_statuses_can_be_chosen(self, azure: Api, admin: AdminClient, endpoint: Receiver) -> None:
        subscribe(admin, endpoint)
        admin.settings(callbacks=AT_ONCE | {"statuses": ["failed"]})
        azure.items(TO, "+15005534004")
        assert [json.loads(got.body)[0]["data"]["to"] for got in endpoint.received] == ["+15005534004"]

    def test_repeats_after_the_documented_pauses(self, azure: Api, admin: AdminClient, endpoint: Receiver) -> None:
        subscribe(admin, endpoint)
        azure.items()
        endpoint.answer = lambda _: (503, "")
        admin.advance(100)
        for attempts, pause in enumerate((10, 30, 60, 300), start=1):
            await_attempts(admin, attempts)
            admin.advance(pause)
        counts = [got.headers["aeg-delivery-count"] for got in endpoint.wait_for(5)]
        assert counts == ["0", "1", "2", "3", "4"]
        assert len({got.body for got in endpoint.received}) == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 413])
    def test_what_is_not_repeated(self, azure: Api, admin: AdminClient, endpoint: Receiver, status: int) -> None:
        subscribe(admin, endpoint)
        admin.settings(callbacks=AT_ONCE)
        endpoint.answer = lambda _: (status, "")
        azure.items()
        assert len(endpoint.received) == 1


def await_attempts(admin: AdminClient, count: int) -> None:
    """Return once the journal has them: the pause before the next has begun then."""
    ends = time.monotonic() + 5
    while sum(attempt["label"] != "handshake" for attempt in admin.callbacks()) < count:
        assert time.monotonic() < ends
        time.sleep(0.002)


class TestInbound:
    def test_the_event(self, admin: AdminClient, endpoint: Receiver) -> None:
        subscribe(admin, endpoint)
        result = admin.inbound(provider="azure", to=FROM, from_=TO, body="Olá 👍")
        (got,) = endpoint.received
        event = EventGridEvent.from_dict(json.loads(got.body)[0])
        assert event.event_type == SystemEventNames.AcsSmsReceivedEventName
        assert event.data == {
            "messageId": result["sid"],
            "from": "15558675310",
            "to": "15551234567",
            "message": "Olá 👍",
            "receivedTimestamp": event.data["receivedTimestamp"],
            "segmentCount": 1,
        }
        assert result == {"sid": result["sid"], "webhook": {"status": 200, "error": None}, "replies": []}
        assert admin.messages()[0]["direction"] == "inbound"

    def test_the_first_attempt_is_answered(self, admin: AdminClient, endpoint: Receiver) -> None:
        subscribe(admin, endpoint)
        endpoint.answer = lambda _: (500, "")
        result = admin.inbound(provider="azure", to=FROM, from_=TO, body="x")
        assert result["webhook"] == {"status": 500, "error": None}

    def test_without_a_subscription(self, admin: AdminClient) -> None:
        assert admin.inbound(provider="azure", to=FROM, from_=TO, body="x")["webhook"] is None

    @pytest.mark.parametrize("text", [{"to": "+1999", "from_": TO}, {"to": FROM, "from_": "somebody"}])
    def test_what_nobody_can_text(self, admin: AdminClient, text: dict[str, str]) -> None:
        with pytest.raises(AdminCallError):
            admin.inbound(provider="azure", body="x", **text)
