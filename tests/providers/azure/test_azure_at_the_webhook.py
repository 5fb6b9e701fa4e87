"""Event Grid at the public address, on to the ledger: what it takes, and what changes nothing there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from sandbox.client import AdminCallError
from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.callbacks.callback_event import CallbackKind
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.transport.http import NoTransport
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.event_stage import PUBLIC, EventStage
from tests.fixtures.providers import make_provider
from tests.providers.azure import azure_wire as wire
from tests.providers.azure.conftest import Live
from tests.webhook.test_webhook_door import NOW, Webhook, address_with, make, path_of

STATUS, INBOUND = (path_of(address_with("new key", provider="azure").of_kind(kind)) for kind in ("status", "inbound"))
FORGED = path_of(address_with("a guess", provider="azure").of_kind("status"))
REPORT = wire.event(wire.report(wire.message_id(1), "Delivered"))
GRID, CLOUD = "EventGridSchema", "CloudEventSchemaV1_0"


@pytest.fixture
def door() -> Webhook:
    return make(provider=make_provider("azure", CannedSecrets({}), NoTransport(), wire.URL))


@pytest.fixture
def stage(tmp_path: Path) -> EventStage:
    made = EventStage(tmp_path)
    made.provider = make_provider("azure", CannedSecrets({}), NoTransport(), wire.URL)
    made.address = CallbackAddress(PUBLIC, provider="azure", connection="sms", secrets=made.secrets)
    made.events = made.events_on(made.ledger)
    made.clock.now = NOW
    return made


@contextmanager
def serving(door: Webhook) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, door.client.application, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def carry_on(door: Webhook, stage: EventStage) -> None:
    """Let the queue deliver what the webhook has put into it."""
    for task in door.queue.take():
        stage.events.handle(task.payload)


@pytest.mark.parametrize("schema", [GRID, CLOUD])
@pytest.mark.parametrize("batch", [1, 10])
def test_subscribed_reported_and_applied(live: Live, door: Webhook, stage: EventStage, schema: str, batch: int) -> None:
    with serving(door) as url:
        live.admin.post("azure/subscriptions", {"url": url + STATUS, "schema": schema, "maxEventsPerBatch": batch})
        live.admin.settings(callbacks={"beforeAnswer": 1})
        numbers = (wire.RECIPIENT, "+15005534007")
        now = live.admin.get("clock")["now"]
        outgoing = [
            OutboundMessage(f"msg_{n:026x}", to, wire.SENDER, "Hello", intended_at=now) for n, to in enumerate(numbers)
        ]
        ids = [outcome.provider_message_id for outcome in live.send(*outgoing)]  # type: ignore[union-attr]
        records = [
            stage.intent(n, to=to, provider_message_id=ids[n], status=MessageStatus.ACCEPTED)
            for n, to in enumerate(numbers)
        ]
    carry_on(door, stage)
    assert [stage.read(record).status for record in records] == [MessageStatus.DELIVERED, MessageStatus.FAILED]
    assert stage.opt_outs.among(numbers) == {"+15005534007"}


def test_an_inbound_message_ends_consent_whichever_address_it_comes_to(
    live: Live, door: Webhook, stage: EventStage
) -> None:
    with serving(door) as url:
        live.admin.post("azure/subscriptions", {"url": url + STATUS})
        result = live.admin.inbound(provider="azure", to=wire.SENDER, from_=wire.RECIPIENT, body="STOP")
    assert result["webhook"] == {"status": 204, "error": None}
    carry_on(door, stage)
    assert stage.opt_outs.among([wire.RECIPIENT]) == {wire.RECIPIENT}
    assert [stored.text for stored in stage.inbound.list(limit=5)[0]] == ["STOP"]


@pytest.mark.parametrize("schema", [GRID, CLOUD])
def test_a_wrong_address_is_not_subscribed(live: Live, door: Webhook, schema: str) -> None:
    with serving(door) as url, pytest.raises(AdminCallError, match="the status has to be 200, not 404"):
        live.admin.post("azure/subscriptions", {"url": url + FORGED, "schema": schema})


def test_an_unsigned_stranger_without_the_token_is_not_heard(door: Webhook) -> None:
    assert door.call(FORGED, json.dumps([REPORT]).encode()).status_code == 404
    assert door.events() == []


@pytest.mark.parametrize(("count", "status"), [(2_000, 204), (4_000, 413)])
def test_size(door: Webhook, count: int, status: int) -> None:
    body = json.dumps([wire.event(wire.report(wire.message_id(n), "Delivered")) for n in range(count)]).encode()
    assert door.call(STATUS, body).status_code == status
    assert bool(door.events()) == (status == 204)


def test_the_same_again_changes_nothing(door: Webhook, stage: EventStage) -> None:
    record = stage.intent(1, provider_message_id=wire.message_id(1), status=MessageStatus.ACCEPTED)
    for _ in range(3):
        door.call(STATUS, json.dumps([REPORT, REPORT]).encode())
    carry_on(door, stage)
    found = stage.read(record)
    assert (found.status, len(found.history)) == (MessageStatus.DELIVERED, 1)


BATCH = "msg_0bd6cf24ae5a7d9c1e0a4b"


def report_of_batch(door: Webhook, stage: EventStage, *, tag: str = f"{BATCH}*", to: str = wire.RECIPIENT) -> None:
    report = wire.report(wire.message_id(1), "Delivered", tag=tag, to=to)
    door.call(STATUS, json.dumps([wire.event(report)]).encode())
    carry_on(door, stage)


class TestLostAnswerOfMany:
    """The report names the call and the recipient: that is enough where only one message can be meant."""

    @pytest.fixture(params=[Phase.CALLING, Phase.UNKNOWN])
    def lost(self, stage: EventStage, request: pytest.FixtureRequest) -> MessageRecord:
        status = MessageStatus.UNKNOWN if request.param == Phase.UNKNOWN else MessageStatus.ACCEPTED
        return stage.intent(id=f"{BATCH}0001", to=wire.RECIPIENT, phase=request.param, status=status)

    def test_is_settled(self, door: Webhook, stage: EventStage, lost: MessageRecord) -> None:
        for other, to in (("msg_ffffffffffffffffffffff0001", wire.RECIPIENT), (f"{BATCH}0002", "+15558675399")):
            stage.intent(id=other, to=to, phase=Phase.UNKNOWN, status=MessageStatus.UNKNOWN)
        report_of_batch(door, stage)
        found = stage.read(lost)
        assert (found.status, found.provider_message_id) == (MessageStatus.DELIVERED, wire.message_id(1))
        assert stage.queue.take() == []

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"tag": "msg_ffffffffffffffffffffff*"}, id="another call"),
            pytest.param({"tag": "other*"}, id="a tag that is not ours"),
            pytest.param({"to": "+15558675399"}, id="another recipient"),
        ],
    )
    def test_is_not_by_another(
        self, door: Webhook, stage: EventStage, lost: MessageRecord, changes: dict[str, str]
    ) -> None:
        report_of_batch(door, stage, **changes)
        assert stage.read(lost) == lost
        assert len(stage.queue.take()) == 1  # it may have overtaken the answer

    def test_is_not_where_two_could_be_meant(self, door: Webhook, stage: EventStage, lost: MessageRecord) -> None:
        unknown = {"phase": Phase.UNKNOWN, "status": MessageStatus.UNKNOWN}
        twin = stage.intent(id=f"{BATCH}0002", to=wire.RECIPIENT, **unknown)
        report_of_batch(door, stage)
        assert [stage.read(lost), stage.read(twin)] == [lost, twin]

    def test_is_where_the_other_is_known(self, door: Webhook, stage: EventStage, lost: MessageRecord) -> None:
        known = {"phase": Phase.DONE, "provider_message_id": wire.message_id(2), "status": MessageStatus.ACCEPTED}
        twin = stage.intent(id=f"{BATCH}0002", to=wire.RECIPIENT, **known)
        report_of_batch(door, stage)
        assert stage.read(lost).status is MessageStatus.DELIVERED
        assert stage.read(twin) == twin


MALICIOUS: list[tuple[str, Any]] = [
    ("nothing", b""),
    ("no JSON", b"\xff\xfe\x00"),
    ("deep", b"[" * 50_000 + b"]" * 50_000),
    ("a deep object", b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    ("a number", b"1" * 30_000),
    ("names twice", b'[{"eventType": "x", "eventType": "y", "data": {}}]'),
    ("no events", []),
    ("no data", [wire.event(None)]),
    ("data of another kind", [wire.event([1]), wire.event("x"), wire.event(7)]),
    ("a status of another kind", [wire.event({"messageId": wire.message_id(1), "deliveryStatus": ["Delivered"]})]),
    ("an id of another kind", [wire.event(wire.report("x", "Delivered", messageId={"a": 1}))]),
    ("an id with a line end", [wire.event(wire.report("Outgoing_1\r\nX: y", "Delivered"))]),
    ("an id without an end", [wire.event(wire.report("x" * 20_000, "Delivered"))]),
    ("a path for an id", [wire.event(wire.report("../../messages", "Delivered"))]),
    ("somebody else's message", [wire.event(wire.report("Outgoing_unknown", "Failed"))]),
    ("a tag that is no id", [wire.event(wire.report("Outgoing_unknown", "Failed", tag="msg_' OR 1=1 --"))]),
    ("an inbound id of another kind", [wire.event(wire.received(wire.RECIPIENT, "STOP", messageId=7), wire.RECEIVED)]),
    ("an inbound id without an end", [wire.event(wire.received("+1", "STOP", messageId="x" * 9_999), wire.RECEIVED)]),
    ("an inbound message from nobody", [wire.event(wire.received("", "STOP"), wire.RECEIVED)]),
]


@pytest.mark.parametrize("kind", ["status", "inbound"])
@pytest.mark.parametrize("document", [row[1] for row in MALICIOUS], ids=[row[0] for row in MALICIOUS])
def test_content_that_changes_nothing(door: Webhook, stage: EventStage, kind: CallbackKind, document: Any) -> None:
    record = stage.intent(1, provider_message_id=wire.message_id(1), status=MessageStatus.ACCEPTED)
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    path = STATUS if kind == "status" else INBOUND
    assert door.call(path, body, aeg_event_type="Notification").status_code < 500
    assert door.call(path, body, aeg_event_type="SubscriptionValidation").status_code < 500
    carry_on(door, stage)
    assert stage.read(record).status is MessageStatus.ACCEPTED
    assert stage.opt_outs.among([wire.RECIPIENT]) == set()
    assert stage.inbound.list(limit=5)[0] == []
