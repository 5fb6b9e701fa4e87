"""The log: one line an event, in the platform's form, and nothing in it that must not be read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.ports import Secret
from sms_connector.structured_log import StructuredLog, mask_text, read_trace

NUMBER = "+15558675310"
NOW = 1_767_225_600.25
TRACE = "0af7651916cd43dd8448eb211c80319c"


def write(event: Callable[[StructuredLog], None], *, level: str = "debug") -> dict[str, Any]:
    stream = io.StringIO()
    event(StructuredLog("sms", level, "a-project", stream=stream, now=lambda: NOW))
    line = stream.getvalue()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    return dict(json.loads(line))


def test_an_event() -> None:
    assert write(lambda log: log.info("sent", status=200, route="/v1/messages:send", ratio=0.5, final=True)) == {
        "severity": "INFO",
        "message": "sent",
        "time": "2026-01-01T00:00:00.250Z",
        "connection": "sms",
        "status": 200,
        "route": "/v1/messages:send",
        "ratio": 0.5,
        "final": True,
    }


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("error", ["WARNING", "ERROR"]),
        ("info", ["INFO", "WARNING", "ERROR"]),
        ("debug", ["DEBUG", "INFO", "WARNING", "ERROR"]),
    ],
)
def test_levels(level: str, written: list[str]) -> None:
    stream = io.StringIO()
    log = StructuredLog(level=level, stream=stream)
    log.debug("x")
    log.info("x")
    log.warning("x")
    log.error("x")
    assert [json.loads(line)["severity"] for line in stream.getvalue().splitlines()] == written


def test_stdout_is_looked_up_when_it_is_written_to(capsys: pytest.CaptureFixture[str]) -> None:
    StructuredLog().info("here")
    assert json.loads(capsys.readouterr().out)["message"] == "here"


def test_bound_fields_are_in_every_event_and_masked() -> None:
    event = write(lambda log: log.bind(requestId=f"from {NUMBER}", to=NUMBER).info("x", step=1))
    assert (event["requestId"], event["to"], event["step"]) == ("from …10", "***", 1)


def test_a_field_can_not_pose_as_the_frame_of_the_event() -> None:
    event = write(lambda log: log.info("x", severity="DEFAULT", time="never", connection="other"))
    assert (event["severity"], event["time"], event["connection"]) == ("INFO", "2026-01-01T00:00:00.250Z", "sms")


# --- what must not be read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        pytest.param("sent to +15558675310.", "sent to …10.", id="E.164"),
        pytest.param("15558675310", "…10", id="without plus"),
        pytest.param("+1 (555) 867-5310", "…10", id="grouped"),
        pytest.param("+1.555.867.5310", "…10", id="grouped by dots"),
        pytest.param("0171/2345678", "…78", id="grouped by a slash"),
        pytest.param("+1\u2011555\u00a0867\u20135310", "…10", id="typographic hyphens and spaces"),
        pytest.param("whatsapp:+15558675310", "whatsapp:…10", id="a channel address"),
        pytest.param("a15558675310b", "a…10b", id="inside a word"),
        pytest.param("+15558675310,+15558675311", "…10,…11", id="two"),
        pytest.param("%2B15558675310", "%2B…10", id="percent-encoded"),
        pytest.param("١٥٥٥٨٦٧٥٣١٠", "…١٠", id="Arabic digits"),
        pytest.param(
            "http://me:hunter2@proxy.example:3128", "http://***proxy.example:3128", id="a proxy's credentials"
        ),
        pytest.param("Authorization: Basic QUNhYmM6c2VjcmV0", "Authorization: ***", id="a header"),
        pytest.param("digest abcdef0123", "***", id="another scheme"),
        pytest.param("123456", "123456", id="six digits are no number"),
        pytest.param("30 s, 25/s, 1600 characters", "30 s, 25/s, 1600 characters", id="counts stay"),
        pytest.param("msg_0bd6cf24ae5a7d9c1e0a4b7c33", "msg_0bd6cf24ae5a7d9c1e0a4b7c33", id="our id stays"),
        pytest.param(
            "SM00000000000000000000000000000001", "SM00000000000000000000000000000001", id="a provider's id stays"
        ),
        pytest.param(TRACE, TRACE, id="a request id stays"),
        pytest.param("12345678-1234-1234-1234-123456789012", "12345678-1234-1234-1234-123456789012", id="a UUID stays"),
    ],
)
def test_masks(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        pytest.param({"to": NUMBER}, {"to": "***"}, id="an address"),
        pytest.param({"auth_token": "abc"}, {"auth_token": "***"}, id="a credential, whatever its spelling"),
        pytest.param({"messageText": "Hello Ann"}, {"messageText": "***"}, id="a body"),
        pytest.param({"sender": 15558675310}, {"sender": "***"}, id="an address as a number"),
        pytest.param({"value": 15558675310}, {"value": "…10"}, id="a number that could be one"),
        pytest.param({"value": 15558675310.0}, {"value": "…10"}, id="also with a fraction"),
        pytest.param({"waitMillis": 15558675310}, {"waitMillis": 15558675310}, id="a measure stays"),
        pytest.param({"x": {"to": "a", "deep": [NUMBER]}}, {"x": {"to": "***", "deep": ["…10"]}}, id="nested"),
        pytest.param({"x": (NUMBER, 1)}, {"x": ["…10", 1]}, id="in a list"),
        pytest.param({"x": Secret("hunter2")}, {"x": "***"}, id="a secret by its type"),
        pytest.param({"x": None, "y": False}, {"x": None, "y": False}, id="nothing to hide"),
        pytest.param({"x": ValueError(NUMBER)}, {"x": "…10"}, id="an object is masked as text"),
        pytest.param({NUMBER: 1}, {"…10": 1}, id="a field's name"),
    ],
)
def test_masks_fields(fields: dict[str, Any], shown: dict[str, Any]) -> None:
    event = write(lambda log: log.info("x", **fields))
    assert {name: event[name] for name in shown} == shown


def test_an_exceptions_words_are_not_told_its_place_is() -> None:
    def fail() -> None:
        try:
            raise KeyError("Hello Ann")
        except KeyError as error:
            raise ValueError(f"no digit in {NUMBER}: Hello Ann") from error

    def event(log: StructuredLog) -> None:
        try:
            fail()
        except ValueError as error:
            log.error("failed", exception=error)

    told = write(event)
    assert (told["exception"], told["cause"]) == ("ValueError", "KeyError")
    assert re.fullmatch(r"test_structured_log\.py:\d+ fail", told["stack"][-1])
    assert "Ann" not in json.dumps(told)


numbers = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)


@given(before=st.text(), number=numbers, after=st.text())
def test_no_number_leaks_from_any_text(before: str, number: str, after: str) -> None:
    line = json.dumps(write(lambda log: log.info(before + number + after, detail=[before, number + after])))
    assert number not in line
    assert number[1:] not in line


@given(
    number=numbers, separators=st.lists(st.sampled_from(["", " ", "-", ".", "/", " (", ") ", "\u00a0"]), min_size=16)
)
def test_no_number_leaks_however_it_is_grouped(number: str, separators: list[str]) -> None:
    grouped = "".join(digit + separator for digit, separator in zip(number, ["", *separators], strict=False))
    digits = "".join(c for c in mask_text(grouped) if c.isdigit())
    assert len(digits) <= 2


@given(st.text())
def test_any_text_is_one_line_of_json(text: str) -> None:
    write(lambda log: log.info(text, x=text))


# --- traces -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "span", "sampled"),
    [
        pytest.param({"X-Cloud-Trace-Context": f"{TRACE}/74;o=1"}, "000000000000004a", True, id="Google's, all of it"),
        pytest.param({"X-Cloud-Trace-Context": TRACE.upper()}, None, False, id="Google's, the id alone"),
        pytest.param({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, "b7ad6b7169203331", True, id="W3C's"),
        pytest.param({"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}, "b7ad6b7169203331", False, id="not sampled"),
    ],
)
def test_reads_traces(headers: dict[str, str], span: str | None, sampled: bool) -> None:
    fields = read_trace(headers, project="a-project")
    assert fields["logging.googleapis.com/trace"] == f"projects/a-project/traces/{TRACE}"
    assert fields.get("logging.googleapis.com/spanId") == span
    assert fields["logging.googleapis.com/trace_sampled"] is sampled


@pytest.mark.parametrize("value", ["", "x", NUMBER, f"{TRACE}/1;o=1;", "0" * 31, f"{TRACE}/{'9' * 30}"])
def test_a_header_that_is_no_trace_is_none(value: str) -> None:
    assert read_trace({"X-Cloud-Trace-Context": value, "traceparent": value}, project=None) == {}


def test_a_request_is_tied_to_its_trace() -> None:
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    event = write(lambda log: log.bind_request(headers, request_id="r1").info("x"))
    assert event["requestId"] == "r1"
    assert event["logging.googleapis.com/trace"].endswith(TRACE)
