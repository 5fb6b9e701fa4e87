from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from sms_connector.errors import NotSent
from sms_connector.model.status import MessageStatus
from sms_connector.transport.http import HttpRequest
from tests.contract.providers.case import NOW
from tests.providers.infobip import infobip_wire as wire
from tests.providers.infobip.conftest import InfobipWith

REQUEST = "msg_0123456789abcdef012345"


def query(request: HttpRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def of_request(count: int, batch: str = REQUEST) -> list[str]:
    return [f"{batch}{number:04x}" for number in range(count)]


def test_some_messages_are_asked_for_by_their_ids(infobip: InfobipWith) -> None:
    ids = of_request(66)
    on = infobip(wire.logs(*(wire.log(each, "DELIVERED_TO_HANDSET") for each in ids)))
    assert [report.provider_message_id for report in on.provider.fetch_reports(ids)] == ids
    (request,) = on.requests
    assert query(request) == {"messageId": ",".join(ids), "limit": "1000", "useCursor": "true"}
    assert len(query(request)["messageId"]) <= 2048


def test_more_are_asked_for_by_their_bulks(infobip: InfobipWith) -> None:
    ids = [*of_request(800), *(f"msg_c0123456789abcdef0123-3-{n}" for n in range(200))]
    on = infobip(wire.logs(*(wire.log(each, "DELIVERED_TO_HANDSET") for each in ids)))
    assert len(on.provider.fetch_reports(ids)) == 1000
    (request,) = on.requests
    assert query(request)["bulkId"] == f"{REQUEST},msg_c0123456789abcdef0123-3"


def test_many_bulks_take_several_calls(infobip: InfobipWith) -> None:
    batches = [f"msg_{number:022x}" for number in range(1000)]
    on = infobip(wire.logs())
    assert on.provider.fetch_reports([f"{batch}0000" for batch in batches]) == []
    asked = [query(request)["bulkId"] for request in on.requests]
    assert all(len(each) <= 2048 for each in asked)
    assert sorted(",".join(asked).split(",")) == batches


def test_the_pages_of_a_bulk_are_read_until_all_are_found(infobip: InfobipWith) -> None:
    ids = of_request(100)
    on = infobip(
        wire.logs(*(wire.log(each, "PENDING_ENROUTE") for each in ids[50:]), cursor="two & more"),
        wire.logs(wire.log("msg_of_others", "PENDING_ENROUTE"), cursor="three"),
        wire.logs(*(wire.log(each, "PENDING_ENROUTE") for each in ids[:50]), cursor="four"),
    )
    assert {report.provider_message_id for report in on.provider.fetch_reports(ids)} == set(ids)
    assert [query(request).get("cursor") for request in on.requests] == [None, "two & more", "three"]


def test_a_cursor_without_an_end_is_left(infobip: InfobipWith) -> None:
    on = infobip(wire.logs(wire.log("msg_of_others", "PENDING_ENROUTE"), cursor="again"))
    assert on.provider.fetch_reports(["msg_1"]) == []
    assert len(on.requests) == 100


def test_the_newest_entry_that_is_no_repetition_counts(infobip: InfobipWith) -> None:
    on = infobip(
        wire.logs(
            wire.log("msg_1", "REJECTED_DUPLICATE_MESSAGE_ID"),
            wire.log("msg_1", "DELIVERED_TO_HANDSET"),
            wire.log("msg_1", "PENDING_ENROUTE"),
            wire.log("msg_2", "REJECTED_DUPLICATE_MESSAGE_ID"),
        )
    )
    (report,) = on.provider.fetch_reports(["msg_1", "msg_2"])
    assert (report.status, report.message_id) == (MessageStatus.DELIVERED, "msg_1")
    assert (report.to, report.segments, report.updated_at) == ("+15558675310", 1, NOW)


def test_an_entry_that_cannot_be_read_stops_no_other(infobip: InfobipWith) -> None:
    items = [{"messageId": 7}, {"status": {"name": 1}}, wire.log("msg_1", "PENDING_ENROUTE")]
    (report,) = infobip(wire.logs(*items)).provider.fetch_reports(["msg_1"])
    assert report.status is MessageStatus.SENDING


def test_logs_that_cannot_be_read_are_no_answer(infobip: InfobipWith) -> None:
    with pytest.raises(NotSent):
        infobip(wire.answer(200, {"results": 7})).provider.fetch_reports(["msg_1"])
