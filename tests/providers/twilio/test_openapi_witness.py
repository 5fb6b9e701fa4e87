"""A witness is worth something only if it finds what is wrong."""

from __future__ import annotations

import pytest

from sms_connector.transport.http import HttpRequest, HttpResponse
from tests.contract.providers.doubles import CannedTransport
from tests.fixtures.openapi_witness import FORM, OpenApiRecorder
from tests.providers.twilio import twilio_wire as wire

ACCOUNT = f"http://127.0.0.1:8081/twilio/2010-04-01/Accounts/{wire.ACCOUNT}"
MESSAGES, MESSAGE = f"{ACCOUNT}/Messages.json", f"{ACCOUNT}/Messages/{wire.SID}.json"
HEADERS = {"Content-Type": FORM, "Authorization": "Basic ***"}


@pytest.mark.parametrize(
    ("method", "url", "body", "found"),
    [
        ("POST", MESSAGES, b"To=%2B15558675310&From=x&Body=Hi", None),
        ("POST", MESSAGES, b"To=1&MediaUrl=https://a/1&MediaUrl=https://a/2&ValidityPeriod=30", None),
        ("POST", MESSAGES, b"To=1&ScheduleType=fixed&SendAt=2026-07-06T12%3A00%3A00Z", None),
        ("GET", f"{MESSAGES}?PageSize=1000&To=%2B1555&PageToken=x&Page=1", None, None),
        ("GET", f"{ACCOUNT}.json", None, None),
        ("POST", MESSAGE, b"Body=", None),
        ("POST", MESSAGE, b"Status=canceled", None),
        ("POST", MESSAGES, b"To=1&Boddy=Hi", "form field 'Boddy' is not in the document"),
        ("POST", MESSAGES, b"To=1&ValidityPeriod=soon", "cast value to integer"),
        ("POST", MESSAGES, b"To=1&ScheduleType=never", "'never' is not one of"),
        ("POST", MESSAGES, b"To=1&MessagingServiceSid=MG1", "'MG1' does not match"),
        ("POST", MESSAGE, b"Status=cancel", "'cancel' is not one of"),
        ("GET", f"{MESSAGES}?PageSize=1001", None, "greater than the maximum of 1000"),
        ("GET", f"{MESSAGES}?Too=1", None, "query parameter 'Too' is not in the document"),
        ("GET", MESSAGE.replace(wire.SID, "SM1"), None, "'SM1' is too short"),
        ("PUT", MESSAGES, b"To=1", "Operation put not found"),
        ("GET", f"{ACCOUNT}/Nothing.json", None, "Path not found"),
    ],
)
def test_requests(method: str, url: str, body: bytes | None, found: str | None) -> None:
    problems = wire.WITNESS.of_request(method, url, HEADERS, body)
    assert (found in " ".join(problems)) if found else problems == []


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"Content-Type": FORM}, "Security not found"),
        ({**HEADERS, "Content-Type": "application/json"}, "application/json"),
        ({"Authorization": "Basic ***"}, "Content"),
    ],
    ids=["no credentials", "JSON", "no content type"],
)
def test_headers(headers: dict[str, str], found: str) -> None:
    assert found in " ".join(wire.WITNESS.of_request("POST", MESSAGES, headers, b"To=1"))


def test_an_entry_of_the_sandboxs_journal() -> None:
    entry = {
        "method": "POST",
        "path": f"/2010-04-01/Accounts/{wire.ACCOUNT}/Messages.json",
        "query": {},
        "form": {"To": ["+1555"], "MediaUrl": ["https://a/1", "https://a/2"]},
        "headers": HEADERS,
    }
    assert wire.WITNESS.of_journal(entry) == []
    assert wire.WITNESS.of_journal({**entry, "query": {"PageSize": ["x"]}}) != []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (wire.answer(201, wire.message()), None),
        (wire.error(400, 21211, "the document does not describe errors"), None),
        (wire.answer(201, wire.message(status="teleported")), "'teleported' is not one of"),
        (wire.answer(201, wire.message(sid="SM1")), "'SM1' does not match"),
        (HttpResponse(201, wire.JSON, b"\xff"), "answered 201"),
        (HttpResponse(201, {"content-type": "text/html"}, b"<html>"), "text/html"),
    ],
)
def test_answers(answer: HttpResponse, found: str | None) -> None:
    recorder = OpenApiRecorder(CannedTransport(answer), wire.WITNESS)
    recorder.send(HttpRequest("POST", MESSAGES, {"content-type": FORM}, b"To=1", "Basic eDp5"))
    assert recorder.problems == []
    assert (found in " ".join(recorder.flaws)) if found else recorder.flaws == []
