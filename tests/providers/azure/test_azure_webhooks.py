"""Event Grid's requests: who is answered, what is read, what is left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.errors import InvalidRequest
from sms_connector.provider import CallbackKind, RawCallback
from sms_connector.providers.azure import webhooks
from tests.contract.providers.case import NOW
from tests.providers.azure import azure_wire as wire

URL = "https://hooks.example.com/webhooks/azure/status/0123456789abcdef01234567"
STATUS = wire.event(wire.report("Outgoing_1", "Delivered"))
INBOUND = wire.event(wire.received(wire.RECIPIENT, "Hi"), wire.RECEIVED)
CODE = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"


def validation(data: object) -> RawCallback:
    event = wire.event(data, "Microsoft.EventGrid.SubscriptionValidationEvent")
    return wire.callback(URL, [event], aeg_event_type="SubscriptionValidation")


class TestHandshake:
    def test_the_event_grid_schema(self) -> None:
        answer = webhooks.answer_handshake(validation({"validationCode": CODE, "validationUrl": "https://x"}))
        assert answer is not None
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert json.loads(answer.body) == {"validationResponse": CODE}

    def test_cloud_events(self) -> None:
        asked = RawCallback("OPTIONS", URL, {"webhook-request-origin": "eventgrid.azure.net"}, b"", NOW)
        answer = webhooks.answer_handshake(asked)
        assert answer is not None
        assert (answer.status, answer.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")

    @pytest.mark.parametrize(
        "callback",
        [
            pytest.param(wire.callback(URL, [STATUS]), id="a report"),
            pytest.param(validation({}), id="no code"),
            pytest.param(validation({"validationCode": 1}), id="a code that is no text"),
            pytest.param(validation("x"), id="no data"),
            pytest.param(wire.callback(URL, b"x", aeg_event_type="SubscriptionValidation"), id="no JSON"),
            pytest.param(wire.callback(URL, [], aeg_event_type="SubscriptionValidation"), id="no event"),
            pytest.param(RawCallback("OPTIONS", URL, {}, b"", NOW), id="no origin"),
            pytest.param(
                RawCallback("OPTIONS", URL, {"webhook-request-origin": "evil.example"}, b"", NOW), id="another origin"
            ),
            pytest.param(RawCallback("GET", URL, {}, b"", NOW), id="a browser"),
        ],
    )
    def test_anything_else_is_none(self, callback: RawCallback) -> None:
        assert webhooks.answer_handshake(callback) is None


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([STATUS], id="the Event Grid schema"),
        pytest.param(STATUS, id="one that stands alone"),
        pytest.param(wire.cloud_event(wire.report("Outgoing_1", "Delivered")), id="a cloud event"),
        pytest.param([wire.cloud_event(wire.report("Outgoing_1", "Delivered"))], id="a batch of cloud events"),
        pytest.param(
            [wire.event({name[0].upper() + name[1:]: value for name, value in STATUS["data"].items()})],
            id="names as in Microsoft's older samples",
        ),
    ],
)
def test_a_report_in_every_envelope(document: object) -> None:
    (report,) = webhooks.read_reports(wire.callback(URL, document))
    assert (report.provider_message_id, report.raw_status, report.failure) == ("Outgoing_1", "Delivered", None)
    assert (report.sender, report.to) == (wire.SENDER, wire.RECIPIENT)
    assert report.updated_at == datetime(2026, 7, 6, 12, 0, 0, 285_574, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tag", "message_id", "batch"),
    [
        ("msg_0bd6cf24ae5a7d9c1e0a4b7c33", "msg_0bd6cf24ae5a7d9c1e0a4b7c33", None),
        ("msg_cc3f2a91d0b7e64c85aa1-0-7", "msg_cc3f2a91d0b7e64c85aa1-0-7", None),
        ("msg_0bd6cf24ae5a7d9c1e0a4b*", None, "msg_0bd6cf24ae5a7d9c1e0a4b"),
        ("msg_0bd6cf24ae5a7d9c1e0a4b**", None, None),
        ("order-42", None, None),
        ("msg_/../x", None, None),
        ("*", None, None),
        (42, None, None),
        (None, None, None),
    ],
)
def test_a_tag_of_ours_names_the_message_or_its_call(tag: object, message_id: str | None, batch: str | None) -> None:
    (report,) = webhooks.read_reports(wire.callback(URL, [wire.event(wire.report("Outgoing_1", "Failed", tag=tag))]))
    assert (report.message_id, report.batch) == (message_id, batch)


@pytest.mark.parametrize(
    ("changes", "sender", "to"),
    [
        pytest.param({}, wire.RECIPIENT, "+15551234567", id="without their plus"),
        pytest.param({"from": "+447700900123", "to": "+15551234567"}, "+447700900123", "+15551234567", id="with it"),
        pytest.param({"to": "12345"}, wire.RECIPIENT, "12345", id="to a short code"),
    ],
)
def test_numbers_of_an_inbound_message(changes: dict[str, Any], sender: str, to: str) -> None:
    event = wire.event(wire.received(wire.RECIPIENT, "Hi", **changes), wire.RECEIVED)
    (message,) = webhooks.read_messages(wire.callback(URL, [event]))
    assert (message.sender, message.to, message.text) == (sender, to, "Hi")


@pytest.mark.parametrize(
    ("document", "addressed", "kind"),
    [
        ([STATUS], "inbound", "status"),
        ([INBOUND], "status", "inbound"),
        (INBOUND, "status", "inbound"),
        ([INBOUND, STATUS], "status", "status"),
        ([wire.event({}, "Microsoft.EventGrid.SubscriptionDeletedEvent")], "inbound", "inbound"),
        (b"", "inbound", "inbound"),
    ],
)
def test_one_address_may_get_both_kinds(document: object, addressed: CallbackKind, kind: str) -> None:
    assert webhooks.kind_of(wire.callback(URL, document), addressed) == kind


def test_a_mixed_batch_is_taken_apart() -> None:
    parts = webhooks.split(wire.callback(URL, [STATUS, INBOUND, STATUS]), 32 * 1024)
    assert [webhooks.kind_of(part, "status") for part in parts] == ["status", "inbound"]
    assert len(webhooks.read_reports(parts[0])) == 2
    assert len(webhooks.read_messages(parts[1])) == 1


@pytest.mark.parametrize("document", [[STATUS], STATUS, b"", b"[", [], [1, "x"], {"a": 1}])
def test_what_needs_no_splitting_stays_byte_for_byte(document: object) -> None:
    callback = wire.callback(URL, document)
    assert webhooks.split(callback, 32 * 1024) == [callback]


def test_events_that_are_not_ours_are_left_out() -> None:
    gone = wire.event({}, "Microsoft.EventGrid.SubscriptionDeletedEvent")
    assert webhooks.read_reports(wire.callback(URL, [gone])) == []
    assert webhooks.read_messages(wire.callback(URL, [gone, STATUS])) == []


@pytest.mark.parametrize("missing", ["messageId", "from", "to"])
def test_an_inbound_message_without_its_parts_is_left_out(missing: str) -> None:
    broken = wire.event({name: value for name, value in INBOUND["data"].items() if name != missing}, wire.RECEIVED)
    (message,) = webhooks.read_messages(wire.callback(URL, [broken, INBOUND]))
    assert message.text == "Hi"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
data_values = st.dictionaries(
    st.sampled_from(["messageId", "deliveryStatus", "deliveryStatusDetails", "from", "to", "message", "tag"]),
    json_values | st.sampled_from(["Failed", "Delivered"]),
)
event_values = st.builds(wire.event, json_values | data_values, st.sampled_from([wire.REPORT, wire.RECEIVED, "x"]))


@given(st.binary(max_size=200) | st.lists(json_values | event_values, max_size=4) | event_values)
def test_whatever_comes_is_read_or_refused(document: object) -> None:
    callback = wire.callback(URL, document)
    webhooks.answer_handshake(wire.callback(URL, document, aeg_event_type="SubscriptionValidation"))
    webhooks.kind_of(callback, "status")
    for part in webhooks.split(callback, 100):
        for read in (webhooks.read_reports, webhooks.read_messages):
            try:
                read(part)
            except InvalidRequest:
                continue
