"""Infobip's catalogue and its data on the wire: filters, cursors, dates, changes.

What the catalogue claims is checked against the official client, which is generated from Infobip's description.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import infobip_api_client as sdk
import pytest

from sms_connector.entity import Column, EntitySource, EntityType, Narrowing
from sms_connector.errors import NotFound, NotSent, OutcomeUnknown, ProviderRefused
from sms_connector.transport.http import HttpResponse, Lane
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport, asked
from tests.fixtures.providers import make_provider
from tests.providers.infobip import infobip_wire as wire

NOON = datetime(2026, 7, 6, 12, tzinfo=UTC)
LIST = {"limit": ["1000"], "useCursor": ["true"]}


def make(*answers: Answer) -> tuple[EntitySource, CannedTransport]:
    transport = CannedTransport(*answers)
    provider = make_provider("infobip", CannedSecrets(dict(wire.SECRETS)), transport, wire.BASE_URL)
    return provider.entities(), transport


SOURCE, _ = make(wire.logs())
LOGS, BULKS, STATUSES = (SOURCE.types[name] for name in ("Logs", "ScheduledBulks", "ScheduledBulkStatuses"))


class Witness(sdk.ApiClient):  # type: ignore[misc]  # the SDK is not typed
    """Notes the request that the official client would make."""

    def call_api(self, method: str, url: str, *_: Any, **__: Any) -> Any:
        parts = urlsplit(url)
        self.noted = (method, parts.path, set(parse_qs(parts.query, keep_blank_values=True)))
        raise StopIteration


def described(call: str, *arguments: Any, **named: Any) -> tuple[str, str, set[str]]:
    """Return a call's method, path and parameters by the official client."""
    witness = Witness(sdk.Configuration(host=wire.BASE_URL, api_key=wire.KEY))
    with pytest.raises(StopIteration):
        getattr(sdk.SmsApi(witness), call)(*arguments, **named)
    noted: tuple[str, str, set[str]] = witness.noted
    return noted


def field_of(model: Any, path: str) -> Any:
    """Return the annotation of a response's field. Raises KeyError for one that is not described."""
    for name in path.split("."):
        content = [each for each in (model, *get_args(model)) if hasattr(each, "model_fields")]
        (model,) = content or [sdk.SmsTextContent]
        if model is sdk.SmsMessageContent:
            model = sdk.SmsTextContent
        fields = {each.alias or own: each.annotation for own, each in model.model_fields.items()}
        model = fields[name]
    return model


class TestTheOfficialClientDescribes:
    def test_the_list_and_its_parameters(self) -> None:
        texts = ("mcc", "mnc", "sender", "destination", "entity_id", "application_id", "cursor")
        lists = {name: ["x"] for name in ("bulk_id", "message_id", "campaign_reference_id")}
        times = {"sent_since": NOON, "sent_until": NOON}
        rest = {"general_status": sdk.MessageGeneralStatus.PENDING, "limit": 1, "use_cursor": True}
        given = dict.fromkeys(texts, "x") | lists | times | rest
        method, path, known = described("get_outbound_sms_message_logs", **given)
        filters = {each.parameter for column in LOGS.columns for each in column.filters}
        assert {(each.method, each.path) for each in LOGS.operations.values()} == {(method, path)}
        assert filters | {str(LOGS.key_parameter), *LIST, "cursor"} <= known
        assert known - filters - {str(LOGS.key_parameter), *LIST, "cursor"} == {"mcc", "mnc"}

    @pytest.mark.parametrize(
        ("entity", "operation", "call", "body"),
        [
            (BULKS, "GET", "get_scheduled_sms_messages", []),
            (BULKS, "UPDATE", "reschedule_sms_messages", [sdk.SmsBulkRequest(send_at=NOON)]),
            (STATUSES, "GET", "get_scheduled_sms_messages_status", []),
            (
                STATUSES,
                "UPDATE",
                "update_scheduled_sms_messages_status",
                [sdk.SmsUpdateStatusRequest(status=sdk.SmsBulkStatus.PAUSED)],
            ),
        ],
    )
    def test_bulks(self, entity: EntityType, operation: Any, call: str, body: list[Any]) -> None:
        endpoint = entity.operations[operation]
        assert described(call, "bulk-1", *body) == (endpoint.method, endpoint.path, {entity.key_parameter})
        changed = {column.update.parameter for column in entity.columns if column.update}
        assert not body or set(body[0].to_dict()) == changed

    @pytest.mark.parametrize(
        ("entity", "model"),
        [(LOGS, sdk.SmsLog), (BULKS, sdk.SmsBulkResponse), (STATUSES, sdk.SmsBulkStatusResponse)],
    )
    def test_every_column(self, entity: EntityType, model: Any) -> None:
        kinds = {"INTEGER": "int", "BOOLEAN": "bool", "TIMESTAMP": "datetime", "DECIMAL": "float"}
        for column in entity.columns:
            assert kinds.get(column.type, "") in str(field_of(model, column.field or ""))

    @pytest.mark.parametrize(
        ("column", "values"),
        [
            (LOGS.by_name["StatusGroup"], sdk.MessageGeneralStatus),
            (STATUSES.by_name["Status"], sdk.SmsBulkStatus),
        ],
    )
    def test_every_value(self, column: Column, values: Any) -> None:
        assert column.enum == tuple(each.value for each in values)


class TestLogs:
    def test_a_row(self) -> None:
        error = wire.error(1, "EC_UNKNOWN_SUBSCRIBER")
        log = wire.log("one", "UNDELIVERABLE_NOT_DELIVERED", error) | {"platform": {"entityId": "shop"}}
        source, transport = make(wire.logs(log))
        (found,) = source.list_rows(LOGS, within={}).rows
        row = source.types["Logs"].fields_of(found)
        assert (row["MessageId"], row["Destination"], row["Text"]) == ("one", "15558675310", "Hello")
        assert (row["SentAt"], row["PricePerMessage"], row["MessageCount"]) == ("2026-07-06T12:00:00.000Z", 0.01, 1)
        assert (row["StatusGroup"], row["Status"]) == ("UNDELIVERABLE", "UNDELIVERABLE_NOT_DELIVERED")
        assert (row["Error"], row["ErrorPermanent"], row["EntityId"]) == ("EC_UNKNOWN_SUBSCRIBER", True, "shop")
        assert (row["ApplicationId"], row["MccMnc"]) == (None, None)
        assert asked(transport) == ("GET", "/sms/3/logs", LIST)
        assert (transport.requests[0].lane, transport.requests[0].repeatable) == (Lane.POLL, True)

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("2026-07-06T14:00:00.120+0200", "2026-07-06T12:00:00.120Z"),
            ("2026-07-06T12:00:00", "2026-07-06T12:00:00.000Z"),
            ("some day", "some day"),
            (["a list"], "['a list']"),
            (None, None),
        ],
    )
    def test_dates(self, text: Any, read: str | None) -> None:
        source, _ = make(wire.logs(wire.log("one", "PENDING_ENROUTE") | {"sentAt": text}))
        (found,) = source.list_rows(LOGS, within={}).rows
        assert source.types["Logs"].fields_of(found)["SentAt"] == read

    def test_filters_are_parameters_and_borders_a_millisecond_further_out(self) -> None:
        source, transport = make(wire.logs())
        narrowed = [
            Narrowing("Sender", "=", "InfoSMS"),
            Narrowing("StatusGroup", "=", "REJECTED"),
            Narrowing("SentAt", ">=", NOON),
            Narrowing("SentAt", "<=", NOON),
        ]
        source.list_rows(LOGS, within={}, narrowed=narrowed)
        assert asked(transport)[2] == {
            "sender": ["InfoSMS"],
            "generalStatus": ["REJECTED"],
            "sentSince": ["2026-07-06T11:59:59.999+0000"],
            "sentUntil": ["2026-07-06T12:00:00.001+0000"],
            **LIST,
        }

    @pytest.mark.parametrize("moment", [datetime.min, datetime.max])
    def test_the_first_and_the_last_date_there_is(self, moment: datetime) -> None:
        source, transport = make(wire.logs())
        narrowed = [Narrowing("SentAt", op, moment.replace(tzinfo=UTC)) for op in ("<=", ">=")]
        source.list_rows(LOGS, within={}, narrowed=narrowed)
        assert {len(text) for name in ("sentSince", "sentUntil") for text in asked(transport)[2][name]} == {28}

    def test_the_next_page_is_a_cursor(self) -> None:
        source, transport = make(wire.logs(wire.log("one", "PENDING_ENROUTE"), cursor="a+b="), wire.logs(cursor="x"))
        page = source.list_rows(LOGS, within={}, narrowed=[Narrowing("BulkId", "=", "b")])
        assert page.next_page == "a+b="
        last = source.list_rows(LOGS, within={}, narrowed=[Narrowing("BulkId", "=", "b")], page=page.next_page)
        assert asked(transport)[2] == {"bulkId": ["b"], "cursor": ["a+b="], **LIST}
        assert (last.rows, last.next_page) == ([], None)

    @pytest.mark.parametrize("cursor", ["x" * 601, "a b", "é"])
    def test_a_cursor_that_can_t_be_given_back(self, cursor: str) -> None:
        source, _ = make(wire.logs(wire.log("one", "PENDING_ENROUTE"), cursor=cursor))
        with pytest.raises(NotSent, match="next page"):
            source.list_rows(LOGS, within={})

    @pytest.mark.parametrize("answer", [wire.answer(200, {}), HttpResponse(200, wire.JSON, b"<html>")])
    def test_an_answer_without_a_list(self, answer: HttpResponse) -> None:
        source, _ = make(answer)
        with pytest.raises(NotSent, match="can't be read"):
            source.list_rows(LOGS, within={})

    def test_a_refused_repetition_is_left_out(self) -> None:
        logs = wire.logs(wire.log("one", "REJECTED_DUPLICATE_MESSAGE_ID"), wire.log("one", "DELIVERED_TO_HANDSET"))
        source, transport = make(logs, logs)
        (listed,) = source.list_rows(LOGS, within={}).rows
        assert source.get(LOGS, {"MessageId": "one"}) == listed
        assert source.types["Logs"].fields_of(listed)["Status"] == "DELIVERED_TO_HANDSET"
        assert asked(transport)[2] == {"messageId": ["one"], **LIST}

    def test_an_unknown_id(self) -> None:
        source, _ = make(wire.logs())
        assert source.get(LOGS, {"MessageId": "one"}) is None


class TestBulks:
    def test_its_time_and_its_status(self) -> None:
        source, transport = make(
            wire.answer(200, {"bulkId": "b 1", "sendAt": wire.NOW_TEXT}),
            wire.answer(200, {"bulkId": "b 1", "status": "PAUSED"}),
        )
        assert source.get(BULKS, {"BulkId": "b 1"}) == ("b 1", "2026-07-06T12:00:00.000Z")
        assert asked(transport) == ("GET", "/sms/1/bulks", {"bulkId": ["b 1"]})
        assert source.get(STATUSES, {"BulkId": "b 1"}) == ("b 1", "PAUSED")

    def test_an_unknown_id(self) -> None:
        source, _ = make(wire.api_error(404, "Requested resource not found."))
        assert source.get(BULKS, {"BulkId": "b"}) is None

    @pytest.mark.parametrize(("entity", "key"), [(BULKS, "BulkId"), (STATUSES, "BulkId"), (LOGS, "MessageId")])
    @pytest.mark.parametrize("entity_id", ["", "a,b", "x" * 201])
    def test_a_malformed_id_needs_no_call(self, entity: EntityType, key: str, entity_id: str) -> None:
        source, transport = make(wire.logs())
        assert source.get(entity, {key: entity_id}) is None
        if "UPDATE" in entity.operations:
            with pytest.raises(NotFound, match="1 to 100 characters"):
                source.update(entity, {key: entity_id}, {})
        assert transport.requests == []

    @pytest.mark.parametrize(
        ("entity", "values", "body", "answer", "changed"),
        [
            (
                BULKS,
                {"SendAt": "2026-07-07t14:00:00+02:00"},
                {"sendAt": "2026-07-07T12:00:00.000+0000"},
                {"bulkId": "b", "sendAt": "2026-07-07T12:00:00.000+0000"},
                {"BulkId": "b", "SendAt": "2026-07-07T12:00:00.000Z"},
            ),
            (
                STATUSES,
                {"Status": "PAUSED"},
                {"status": "PAUSED"},
                {"status": "PAUSED"},
                {"BulkId": "b", "Status": "PAUSED"},
            ),
        ],
    )
    def test_a_change_is_never_repeated(
        self, entity: EntityType, values: Any, body: Any, answer: Any, changed: Any
    ) -> None:
        source, transport = make(wire.answer(200, answer))
        assert source.update(entity, {"BulkId": "b"}, values) == changed
        (request,) = transport.requests
        assert asked(transport) == ("PUT", entity.operations["UPDATE"].path, {"bulkId": ["b"]})
        assert (json.loads(request.body or b""), request.repeatable) == (body, False)

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (wire.api_error(400, "Request cannot be processed."), ProviderRefused),
            (wire.api_error(404, "Requested resource not found."), ProviderRefused),
            (HttpResponse(502, {}, b"oops"), OutcomeUnknown),
            (HttpResponse(200, {}, b"<html>"), OutcomeUnknown),
        ],
    )
    def test_failures_of_a_change(self, answer: HttpResponse, error: type[Exception]) -> None:
        source, transport = make(answer)
        with pytest.raises(error):
            source.update(STATUSES, {"BulkId": "b"}, {"Status": "PAUSED"})
        assert len(transport.requests) == 1
