"""Twilio's catalogue and its data on the wire: paths, filters, pages, dates, forms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sms_connector.entity import EntitySource, Narrowing
from sms_connector.errors import NotFound, OutcomeUnknown, ProviderRefused
from sms_connector.transport.http import HttpResponse, Lane
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport, asked
from tests.fixtures.providers import make_provider
from tests.providers.twilio import twilio_wire as wire

ACCOUNT = f"/2010-04-01/Accounts/{wire.ACCOUNT}"
CALL = "CA" + "0" * 31 + "1"


def make(*answers: Answer, url: str | None = None, **options: str) -> tuple[EntitySource, CannedTransport]:
    transport = CannedTransport(*answers)
    return make_provider("twilio", CannedSecrets(dict(wire.SECRETS)), transport, url, **options).entities(), transport


def listed(key: str, *rows: dict[str, Any], **more: Any) -> HttpResponse:
    return wire.answer(200, {key: list(rows), "next_page_uri": None, **more})


SOURCE, _ = make(wire.answer(200, {}))


class TestCatalogue:
    def test_everything_is_there(self) -> None:
        assert len(SOURCE.types) == 45
        assert "auth_token" not in {column.field for each in SOURCE.types.values() for column in each.columns}

    def test_the_messaging_host_is_left_out_where_it_is_not_known(self) -> None:
        source, _ = make(wire.answer(200, {}), url="http://127.0.0.1:1")
        assert "MessagingServices" not in source.types
        source, transport = make(
            listed("services", meta={"next_page_url": None}), url="http://x", messagingUrl="http://m"
        )
        source.list_rows(source.types["MessagingServices"], within={})
        assert transport.requests[0].url == "http://m/v1/Services?PageSize=1000"


class TestLists:
    def test_a_row_has_its_types(self) -> None:
        source, transport = make(listed("messages", wire.message(price="-0.00750", num_segments="2", error_code=30003)))
        page = source.list_rows(source.types["Messages"], within={})
        row = source.types["Messages"].fields_of(page.rows[0])
        assert row["DateCreated"] == "2026-07-06T12:00:00Z"
        assert (row["Price"], row["NumSegments"], row["ErrorCode"], row["DateSent"]) == (-0.0075, 2, 30003, None)
        assert asked(transport) == ("GET", f"{ACCOUNT}/Messages.json", {"PageSize": ["1000"]})
        assert transport.requests[0].lane is Lane.POLL
        assert transport.requests[0].repeatable

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("Mon, 06 Jul 2026 12:00:00 +0000", "2026-07-06T12:00:00Z"),
            ("Mon, 06 Jul 2026 12:00:00 +0200", "2026-07-06T10:00:00Z"),
            ("2026-07-06T12:00:00Z", "2026-07-06T12:00:00Z"),
            ("some day", "some day"),
            (None, None),
        ],
    )
    def test_dates(self, text: str | None, read: str | None) -> None:
        source, _ = make(listed("messages", wire.message(date_sent=text)))
        page = source.list_rows(source.types["Messages"], within={})
        assert source.types["Messages"].fields_of(page.rows[0])["DateSent"] == read

    def test_filters_are_parameters_and_borders_of_dates_are_days(self) -> None:
        source, transport = make(listed("messages"))
        moment = datetime(2026, 7, 4, 23, 30, tzinfo=UTC)
        narrowed = [
            Narrowing("Sender", "=", "+1555"),
            Narrowing("DateSent", "<=", moment),
            Narrowing("DateSent", ">=", moment),
        ]
        source.list_rows(source.types["Messages"], within={}, narrowed=narrowed)
        query = asked(transport)[2]
        assert query == {
            "PageSize": ["1000"],
            "From": ["+1555"],
            "DateSent<": ["2026-07-05"],
            "DateSent>": ["2026-07-04"],
        }

    def test_the_next_page_is_a_number_and_a_token_and_never_an_address(self) -> None:
        uri = "https://elsewhere.example.com/2010-04-01/x.json?PageSize=50&Page=3&PageToken=PAabc%3D"
        source, transport = make(listed("messages", wire.message(), next_page_uri=uri), listed("messages"))
        page = source.list_rows(source.types["Messages"], within={})
        assert page.next_page == "3~PAabc="
        source.list_rows(source.types["Messages"], within={}, page=page.next_page)
        query = {"PageSize": ["1000"], "Page": ["3"], "PageToken": ["PAabc="]}
        assert asked(transport) == ("GET", f"{ACCOUNT}/Messages.json", query)
        with pytest.raises(NotFound):
            source.list_rows(source.types["Messages"], within={}, page="https://elsewhere.example.com")

    @pytest.mark.parametrize(
        ("name", "within", "path"),
        [
            ("Media", {"MessageSid": wire.SID}, f"{ACCOUNT}/Messages/{wire.SID}/Media.json"),
            ("UsageRecords", {}, f"{ACCOUNT}/Usage/Records.json"),
            ("UsageRecords", {"Period": "Daily"}, f"{ACCOUNT}/Usage/Records/Daily.json"),
            ("AvailablePhoneNumbers", {"IsoCountry": "DE"}, f"{ACCOUNT}/AvailablePhoneNumbers/DE/Local.json"),
            ("Messages", {"AccountSid": "AC" + "f" * 32}, f"/2010-04-01/Accounts/AC{'f' * 32}/Messages.json"),
            ("Balance", {}, f"{ACCOUNT}/Balance.json"),
        ],
    )
    def test_parents_stand_in_the_path(self, name: str, within: dict[str, str], path: str) -> None:
        entity = SOURCE.types[name]
        source, transport = make(listed(entity.list_key or "x"))
        page = source.list_rows(entity, within=within)
        assert asked(transport)[1] == path
        assert len(page.rows) == (name == "Balance")

    @pytest.mark.parametrize(
        ("name", "within"),
        [
            ("Media", {"MessageSid": ".."}),
            ("Media", {"MessageSid": ""}),
            ("Media", {"MessageSid": "a/b"}),
            ("Messages", {"AccountSid": "me"}),
            ("UsageRecords", {"Period": "Weekly"}),
        ],
    )
    def test_what_can_t_stand_in_a_path_has_no_rows(self, name: str, within: dict[str, str]) -> None:
        source, transport = make(listed("x"))
        assert source.list_rows(source.types[name], within=within).rows == []
        assert transport.requests == []


class TestSingleOnes:
    def test_a_key_of_two_columns(self) -> None:
        media = "ME" + "0" * 32
        source, transport = make(wire.answer(200, {"sid": media, "content_type": "image/png"}))
        row = source.get(source.types["Media"], {"MessageSid": wire.SID, "Sid": media})
        assert row is not None
        assert source.types["Media"].fields_of(row)["MessageSid"] == wire.SID
        assert source.types["Media"].id_of(row) == f"{wire.SID}~{media}"
        assert asked(transport)[1] == f"{ACCOUNT}/Messages/{wire.SID}/Media/{media}.json"

    def test_one_that_is_not_there(self) -> None:
        source, _ = make(wire.error(404, 20404, "not found"))
        assert source.get(source.types["Messages"], {"Sid": wire.SID}) is None

    @pytest.mark.parametrize("sid", ["SM1", "PN" + "0" * 32, wire.SID + "0", "../" + wire.SID])
    def test_an_id_that_is_none_of_twilio_s_needs_no_call(self, sid: str) -> None:
        source, transport = make(wire.answer(200, {}))
        assert source.get(source.types["Messages"], {"Sid": sid}) is None
        with pytest.raises(NotFound, match="32 hexadecimal digits"):
            source.delete(source.types["Messages"], {"Sid": sid})
        assert transport.requests == []

    def test_a_flattened_field(self) -> None:
        number = {"sid": "PN" + "0" * 32, "capabilities": {"sms": True, "voice": False}, "beta": False}
        source, _ = make(wire.answer(200, number))
        row = source.get(source.types["IncomingPhoneNumbers"], {"Sid": number["sid"]})
        assert row is not None
        read = source.types["IncomingPhoneNumbers"].fields_of(row)
        assert (read["CapabilitiesSms"], read["CapabilitiesVoice"]) == (True, False)


class TestWrites:
    def test_a_create_is_a_form_that_is_never_repeated(self) -> None:
        source, transport = make(wire.answer(201, {"sid": CALL}))
        values = {"To": "+1", "Sender": "+2", "Url": "https://x/y", "Record": True, "StatusCallbackEvent": ["a", "b"]}
        assert source.create(source.types["Calls"], values) == {"Sid": CALL}
        request = transport.requests[0]
        assert (request.method, urlsplit(request.url).path) == ("POST", f"{ACCOUNT}/Calls.json")
        assert not request.repeatable
        assert parse_qs((request.body or b"").decode()) == {
            "To": ["+1"],
            "From": ["+2"],
            "Url": ["https://x/y"],
            "Record": ["true"],
            "StatusCallbackEvent": ["a", "b"],
        }

    def test_columns_of_an_answer_that_no_row_has(self) -> None:
        source, _ = make(wire.answer(200, {"validation_code": "123456", "call_sid": CALL}))
        made = source.create(source.types["OutgoingCallerIds"], {"PhoneNumber": "+1"})
        assert made == {"ValidationCode": "123456", "CallSid": CALL}

    def test_a_withdrawn_one_has_its_column_in_the_path(self) -> None:
        source, transport = make(wire.answer(200, {"sid": "other"}))
        assert source.create(source.types["Feedback"], {"Sid": CALL, "QualityScore": 5}) == {"Sid": CALL}
        assert urlsplit(transport.requests[0].url).path == f"{ACCOUNT}/Calls/{CALL}/Feedback.json"
        assert transport.requests[0].body == b"QualityScore=5"

    def test_an_update_clears_by_an_empty_value(self) -> None:
        number = "PN" + "0" * 32
        source, transport = make(wire.answer(200, {"sid": number}))
        assert source.update(source.types["IncomingPhoneNumbers"], {"Sid": number}, {"Name": None}) == {"Sid": number}
        assert transport.requests[0].body == b"FriendlyName="

    def test_a_delete_has_no_answer(self) -> None:
        source, transport = make(HttpResponse(204, {}, b""))
        source.delete(source.types["Calls"], {"Sid": CALL})
        assert transport.requests[0].method == "DELETE"

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (wire.error(400, 21201, "no To"), ProviderRefused),
            (HttpResponse(500, {}, b"oops"), OutcomeUnknown),
            (HttpResponse(200, {}, b"<html>"), OutcomeUnknown),
        ],
    )
    def test_failures_of_a_create(self, answer: HttpResponse, error: type[Exception]) -> None:
        source, transport = make(answer)
        with pytest.raises(error):
            source.create(source.types["Calls"], {"To": "+1", "Sender": "+2", "Url": "https://x"})
        assert len(transport.requests) == 1
