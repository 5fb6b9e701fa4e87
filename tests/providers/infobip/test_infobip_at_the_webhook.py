"""Infobip at the public address, on to the ledger: what it takes, and what changes nothing there."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from werkzeug.serving import make_server

from sandbox import AdminClient, Sandbox
from sandbox.infobip.account import API_KEY
from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.local.clock import SystemClock
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.transport.http import NoTransport
from sms_connector.transport.session import HttpTransport
from sms_connector.transport.settings import TransportSettings
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.event_stage import PUBLIC, EventStage
from tests.fixtures.providers import make_provider
from tests.providers.infobip import infobip_wire as wire
from tests.webhook.test_webhook_door import NOW, Webhook, address_with, make, path_of

STATUS, INBOUND = (path_of(address_with("new key", provider="infobip").of_kind(kind)) for kind in ("status", "inbound"))
FORGED = path_of(address_with("a guess", provider="infobip").of_kind("status"))
RECIPIENT, SENDER = "+447700900123", "+15551234567"
BASIC = {"webhook-username": "acme", "webhook-password": "secret"}
MESSAGE_ID = f"msg_{1:026x}"


@pytest.fixture
def door() -> Webhook:
    """The webhook has no secrets of the provider."""
    return make(provider=make_provider("infobip", CannedSecrets({}), NoTransport(), wire.BASE_URL))


def stage_with(folder: Path, secrets: dict[str, str]) -> EventStage:
    made = EventStage(folder)
    made.provider = make_provider("infobip", CannedSecrets(wire.SECRETS | secrets), NoTransport(), wire.BASE_URL)
    made.address = CallbackAddress(PUBLIC, provider="infobip", connection="sms", secrets=made.secrets)
    made.events = made.events_on(made.ledger)
    made.clock.now = NOW
    return made


@pytest.fixture
def stage(tmp_path: Path) -> EventStage:
    return stage_with(tmp_path, {})


@contextmanager
def serving(door: Webhook) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, door.client.application, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def carry_on(door: Webhook, stage: EventStage) -> int:
    """Let the queue deliver what the webhook has put into it; return how many tasks that were."""
    tasks = door.queue.take()
    for task in tasks:
        stage.events.handle(task.payload)
    return len(tasks)


def called(stage: EventStage, number: int = 1, **fields: Any) -> MessageRecord:
    """A message whose answer is not there yet."""
    return stage.intent(number, to=RECIPIENT, **fields)


def posted(*results: object) -> bytes:
    return json.dumps({"results": results}).encode()


@pytest.fixture
def admin(sandbox: Sandbox) -> AdminClient:
    sandbox.admin.reset()
    return sandbox.admin


def test_sent_reported_and_applied_before_the_answer(
    sandbox: Sandbox, admin: AdminClient, door: Webhook, stage: EventStage
) -> None:
    secrets = CannedSecrets({"api-key": API_KEY})
    transport = HttpTransport(TransportSettings(), clock=SystemClock(), secrets=secrets)
    provider = make_provider("infobip", secrets, transport, sandbox.url)
    numbers = (RECIPIENT, "+15005530603", "+15005530007")
    records = [called(stage, number) for number in range(3)]
    admin.settings(callbacks={"beforeAnswer": 1})
    with serving(door) as url:
        message = OutboundMessage("", "", SENDER, "Hello", callback_url=f"{url}{STATUS}?m=msg_1&d=0")
        provider.send([replace(message, id=record.id, to=to) for record, to in zip(records, numbers, strict=True)])
    transport.close()
    carry_on(door, stage)
    found = [stage.read(record) for record in records]
    assert [each.status for each in found] == [
        MessageStatus.DELIVERED,
        MessageStatus.UNDELIVERED,
        MessageStatus.UNDELIVERED,
    ]
    assert {each.provider_message_id for each in found} == {record.id for record in records}
    # The report is about our message, whose recipient the ledger knows.
    assert stage.opt_outs.among([RECIPIENT]) == {RECIPIENT}


def test_an_inbound_message_ends_consent(
    sandbox: Sandbox, admin: AdminClient, door: Webhook, stage: EventStage
) -> None:
    with serving(door) as url:
        admin.post("infobip/account", {"inboundUrl": url + INBOUND})
        for _ in range(2):
            result = admin.inbound(provider="infobip", to=SENDER, from_=RECIPIENT, body="Stop!")
    assert result["webhook"] == {"status": 200, "error": None}
    carry_on(door, stage)
    assert stage.opt_outs.among([RECIPIENT]) == {RECIPIENT}
    assert [stored.text for stored in stage.inbound.list(limit=5)[0]] == ["Stop!", "Stop!"]


def test_without_the_token_nothing_is_taken(door: Webhook) -> None:
    assert door.call(FORGED, posted(wire.report(MESSAGE_ID, "DELIVERED_TO_HANDSET"))).status_code == 404
    assert door.events() == []


def header(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        pytest.param(header("acme", "secret"), MessageStatus.DELIVERED, id="ours"),
        pytest.param(header("acme", "guess"), MessageStatus.ACCEPTED, id="another password"),
        pytest.param("", MessageStatus.ACCEPTED, id="none"),
    ],
)
def test_with_basic_set_the_token_is_not_enough(
    tmp_path: Path, door: Webhook, authorization: str, status: MessageStatus
) -> None:
    stage = stage_with(tmp_path, BASIC)
    record = called(stage)
    body = posted(wire.report(record.id, "DELIVERED_TO_HANDSET"))
    assert door.call(STATUS, body, authorization=authorization).status_code == 200
    carry_on(door, stage)
    assert stage.read(record).status is status
    assert len(stage.logged("callback_rejected")) == (status is MessageStatus.ACCEPTED)


@pytest.mark.parametrize(("count", "status"), [(2_000, 200), (5_000, 413)])
def test_many_reports_are_spread_over_tasks(door: Webhook, stage: EventStage, count: int, status: int) -> None:
    record = called(stage)
    reports = [wire.report(f"msg_{number:026x}", "DELIVERED_TO_HANDSET") for number in range(1, count + 1)]
    assert door.call(STATUS, posted(*reports)).status_code == status
    tasks = carry_on(door, stage)
    assert tasks > 10 if status == 200 else tasks == 0
    expected = MessageStatus.DELIVERED if status == 200 else MessageStatus.ACCEPTED
    assert stage.read(record).status is expected


def test_the_same_again_changes_nothing(door: Webhook, stage: EventStage) -> None:
    record = called(stage)
    for _ in range(3):
        door.call(STATUS, posted(*[wire.report(record.id, "DELIVERED_TO_HANDSET")] * 2))
    carry_on(door, stage)
    found = stage.read(record)
    assert (found.status, len(found.history)) == (MessageStatus.DELIVERED, 1)


def test_a_report_settles_an_unknown_outcome(door: Webhook, stage: EventStage) -> None:
    record = called(stage, phase=Phase.UNKNOWN, status=MessageStatus.UNKNOWN)
    door.call(STATUS, posted(wire.report(record.id, "PENDING_WAITING_DELIVERY")))
    carry_on(door, stage)
    assert (stage.read(record).status, stage.read(record).phase) == (MessageStatus.SENT, Phase.DONE)


DUPLICATE = wire.report(MESSAGE_ID, "REJECTED_DUPLICATE_MESSAGE_ID", wire.error(5492, "EC_DUPLICATE_MESSAGE"))
STOP = wire.inbound(RECIPIENT, "STOP")
UNDELIVERED = "UNDELIVERABLE_NOT_DELIVERED"
UNCHANGED: list[tuple[str, Any]] = [
    ("nothing", b""),
    ("no JSON", b"\xff\xfe\x00"),
    ("deep", b"[" * 50_000 + b"]" * 50_000),
    ("a deep object", b'{"results":' * 20_000 + b"1" + b"}" * 20_000),
    ("a form", b"messageId=msg_1&status=DELIVERED"),
    ("no results", posted()),
    ("results of another kind", posted([1], "x", 7, None)),
    ("a repetition of its id", posted(DUPLICATE)),
    ("a group of another kind", posted({"messageId": MESSAGE_ID, "status": {"groupId": [3], "name": "x"}})),
    ("an id of another kind", posted({"messageId": {"id": MESSAGE_ID}, "status": {"groupId": 3, "name": "x"}})),
    ("an id with a line end", posted(wire.report(f"{MESSAGE_ID}\n", "DELIVERED_TO_HANDSET"))),
    ("a path for an id", posted(wire.report("../../messages", "DELIVERED_TO_HANDSET"))),
    ("an id without an end", posted(wire.report("msg_" + "0" * 20_000, "DELIVERED_TO_HANDSET"))),
    ("a number that no ledger holds", posted(wire.report(MESSAGE_ID, "x") | {"messageCount": 10**30})),
    ("a code that no ledger holds", posted(wire.report(MESSAGE_ID, UNDELIVERED, wire.error(10**30, "EC_X")))),
    ("an address without an end", posted(wire.report(MESSAGE_ID, "x") | {"to": "4" * 100_000})),
    ("another message's id", posted(wire.report(f"msg_{99:026x}", "DELIVERED_TO_HANDSET"))),
    ("an inbound message from nobody", posted({**STOP, "from": ""})),
    ("an inbound id of another kind", posted({**STOP, "messageId": ["x"]})),
    ("an inbound id without an end", posted({**STOP, "messageId": "x" * 9_999})),
    ("an inbound text without an end", posted({**STOP, "text": "STOP" + " " * 100_000})),
    ("an inbound sender without an end", posted({**STOP, "from": "4" * 100_000})),
]


@pytest.mark.parametrize("path", [STATUS, INBOUND], ids=["status", "inbound"])
@pytest.mark.parametrize("body", [row[1] for row in UNCHANGED], ids=[row[0] for row in UNCHANGED])
def test_content_that_changes_nothing(door: Webhook, stage: EventStage, path: str, body: bytes) -> None:
    record = called(stage)
    assert door.call(path, body).status_code < 500
    carry_on(door, stage)
    assert stage.read(record) == record
    assert stage.opt_outs.among([RECIPIENT]) == set()
    assert stage.inbound.list(limit=5)[0] == []


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59.999-1400", "0001-01-01T00:00:00.000+1400", "never", "", None])
def test_a_time_that_cannot_be_moves_nothing_into_the_future(door: Webhook, stage: EventStage, at: str | None) -> None:
    assert door.call(INBOUND, posted({**STOP, "receivedAt": at})).status_code == 200
    carry_on(door, stage)
    (stored,) = stage.inbound.list(limit=5)[0]
    assert stored.received_at <= NOW
