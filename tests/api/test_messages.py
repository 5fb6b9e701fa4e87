"""`/v1/messages` afterwards: look up, list page by page, cancel, redact; and the preview."""

from __future__ import annotations

from typing import Any

import pytest

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown, PreconditionFailed, ProviderRefused, StateRefused

TO = "+15558675310"
GOOD: dict[str, Any] = {"to": TO, "message": "Hello"}
PREVIEW = "/v1/messages:preview"


def sent(api: Any) -> str:
    [result] = api.send(GOOD).json["results"]
    return str(result["id"])


def test_a_message_with_its_history(api: Any) -> None:
    message_id = sent(api)
    assert api.get(f"/v1/messages/{message_id}").json == {
        "id": message_id,
        "to": TO,
        "sender": "+15551234567",
        "status": "queued",
        "final": False,
        "providerMessageId": "SM" + "0" * 32,
        "segments": 1,
        "encoding": "GSM-7",
        "attempts": 0,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "sentAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:01.000Z",
        "campaign": None,
        "redacted": False,
        "error": None,
        "history": [
            {"at": "2026-01-01T00:00:00.000Z", "status": "queued", "source": "send", "providerStatus": "queued"}
        ],
    }


@pytest.mark.parametrize(
    ("message_id", "asked"),
    [
        pytest.param("msg_00000000000000000000000000", ["get"], id="could be ours, is not there"),
        pytest.param("SM" + "0" * 32, [], id="the provider's id"),
        pytest.param("msg_" + "x" * 100, [], id="too long to be ours"),
        pytest.param("__all__", [], id="a name that stores reserve"),
        pytest.param("%00", [], id="a NUL character"),
        pytest.param("msg_%F0%9F%98%80", [], id="an emoji"),
    ],
)
def test_a_message_that_is_not_there(api: Any, message_id: str, asked: list[str]) -> None:
    answer = api.get(f"/v1/messages/{message_id}")
    assert (answer.status_code, answer.json["error"]["status"]) == (404, "NOT_FOUND")
    assert answer.json["error"]["details"] == [{"kind": "NOT_FOUND"}]
    assert api.double.calls == asked


def test_pages_without_gap_or_overlap(api: Any) -> None:
    api.send({"message": "x", "records": [{"to": TO}] * 60})
    seen: list[str] = []
    sizes, token = [], ""
    while True:
        page = api.get(f"/v1/messages?to=%2B15558675310{token}").json
        assert "history" not in page["messages"][0]
        seen += [message["id"] for message in page["messages"]]
        sizes.append(len(page["messages"]))
        if page["nextPageToken"] is None:
            break
        token = f"&pageToken={page['nextPageToken']}"
    assert sizes == [25, 25, 10]
    assert len(set(seen)) == 60


def test_a_token_belongs_to_its_filter(api: Any) -> None:
    api.send({"message": "x", "records": [{"to": TO}] * 3})
    token = api.get("/v1/messages?pageSize=1").json["nextPageToken"]
    assert api.get(f"/v1/messages?pageSize=2&pageToken={token}").status_code == 200
    for other in ("messages?status=sent&", "optOuts?", "inboundMessages?"):
        answer = api.get(f"/v1/{other}pageToken={token}")
        assert answer.status_code == 400, other
        assert answer.json["error"]["details"] == [{"field": "pageToken", "kind": "INVALID_REQUEST"}]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        pytest.param("to=%2B15558675310", {"to": TO}, id="percent-encoded"),
        pytest.param("to=+15558675310", {"to": TO}, id="a bare + arrives as a space"),
        pytest.param(
            "status=delivered&to=%2B15558675310", {"to": TO, "status": "delivered"}, id="both indexed together"
        ),
        pytest.param("to=%2B1+555-867+5310", {"to": "+15558675310"}, id="another spelling"),
        pytest.param(
            "reference=A-1&status=sent&campaign=cmp_c00000000000000000000&to=%2B15558675310",
            {"reference": "A-1", "status": "sent", "campaign": "cmp_c00000000000000000000", "to": TO},
            id="all together",
        ),
        pytest.param("providerMessageId=SM1", {"provider_message_id": "SM1"}, id="the provider's id"),
        pytest.param(
            "createdAfter=2026-01-01T00:00:00Z&createdBefore=2026-01-01T00:00:01.5Z",
            {"created_after": 1767225600.0, "created_before": 1767225601.5},
            id="a span of time",
        ),
        pytest.param("createdAfter=2026-01-01T01:00:00%2B01:00", {"created_after": 1767225600.0}, id="another zone"),
    ],
)
def test_filters(api: Any, query: str, wanted: dict[str, Any]) -> None:
    assert api.get(f"/v1/messages?{query}").status_code == 200
    [found] = api.double.filters
    values = {name: getattr(found, name) for name in found.__slots__}
    assert {name: value for name, value in values.items() if value is not None} == wanted


@pytest.mark.parametrize(("verb", "member", "value"), [("cancel", "status", "canceled"), ("redact", "redacted", True)])
def test_changes(api: Any, verb: str, member: str, value: object) -> None:
    bodies: tuple[Any, ...] = (None, {})
    for body in bodies:
        answer = api.post(f"/v1/messages/{sent(api)}:{verb}", body)
        assert (answer.status_code, answer.json[member]) == (200, value)


@pytest.mark.parametrize(
    ("error", "status", "rpc", "detail"),
    [
        pytest.param(
            PreconditionFailed("is final", kind=ErrorKind.UNSUPPORTED),
            422,
            "FAILED_PRECONDITION",
            {"kind": "UNSUPPORTED"},
            id="we know it can't be done",
        ),
        pytest.param(
            ProviderRefused("too late", kind=ErrorKind.OTHER, code=30409, more_info="https://a.example/30409"),
            502,
            "UNAVAILABLE",
            {"kind": "OTHER", "code": 30409, "moreInfo": "https://a.example/30409", "retry": "never"},
            id="the provider refused",
        ),
        pytest.param(
            StateRefused("gone further", kind=ErrorKind.UNSUPPORTED, code=30409, more_info="https://a.example/30409"),
            422,
            "FAILED_PRECONDITION",
            {"kind": "UNSUPPORTED", "code": 30409, "moreInfo": "https://a.example/30409", "retry": "never"},
            id="the provider says it is too late",
        ),
        pytest.param(
            NotSent("connection refused", retry_after=0.2),
            502,
            "UNAVAILABLE",
            {"kind": "UNAVAILABLE", "retry": "safe", "retryAfterMillis": 200},
            id="the provider is not there",
        ),
        pytest.param(
            OutcomeUnknown("no answer", kind=ErrorKind.TIMEOUT),
            504,
            "DEADLINE_EXCEEDED",
            {"kind": "TIMEOUT", "retry": "unknown_outcome"},
            id="the provider is silent",
        ),
    ],
)
def test_a_change_that_fails(api: Any, error: Exception, status: int, rpc: str, detail: dict[str, Any]) -> None:
    message_id = sent(api)
    api.double.fail_with["cancel"] = error
    answer = api.post(f"/v1/messages/{message_id}:cancel")
    assert answer.status_code == status
    assert answer.json["error"] == {"code": status, "status": rpc, "message": str(error), "details": [detail]}
    assert answer.headers.get("Retry-After") == ("1" if "retryAfterMillis" in detail else None)


def test_a_preview_of_records_shows_flaws_beside_texts(api: Any) -> None:
    rows = [{"to": TO, "name": "François"}, {"to": "0123"}]
    answer = api.post(PREVIEW, {"message": "Hi <name>", "records": rows}).json
    good, bad = answer["results"]
    assert good["text"] == "Hi François"
    assert (good["encoding"], good["segments"], good["remaining"]) == ("UCS-2", 1, 59)
    assert good["reason"] == "'ç' (U+00E7) is not in GSM-7"
    assert good["errors"] == []
    assert [(error["field"], error["kind"]) for error in bad["errors"]] == [
        ("records[1].name", "MISSING_VALUE"),
        ("records[1].to", "INVALID_RECIPIENT"),
    ]
    assert (answer["placeholders"], answer["segments"]) == (["name"], 1)
    assert api.double.calls == []


@pytest.mark.parametrize(
    ("document", "segments", "errors"),
    [
        pytest.param({"message": "x" * 161}, 2, [], id="a text alone"),
        pytest.param({"message": "Hi <name>"}, 1, [], id="placeholders alone are measured as they are written"),
        pytest.param({"message": ""}, 0, [], id="nothing yet"),
        pytest.param({"message": "x" * 1601}, 11, ["INVALID_MESSAGE"], id="too long is told and measured"),
        pytest.param({"message": "\U0001f600" * 800}, 25, [], id="800 emoji are the provider's 1 600 units"),
        pytest.param({"message": "\U0001f600" * 801}, 25, ["INVALID_MESSAGE"], id="801 emoji are 1 602 of them"),
        pytest.param({"message": "x", "to": TO}, 1, [], id="for one recipient"),
    ],
)
def test_a_preview_of_a_text(api: Any, document: dict[str, Any], segments: int, errors: list[str]) -> None:
    answer = api.post(PREVIEW, document)
    assert answer.status_code == 200
    [result] = answer.json["results"]
    assert answer.json["segments"] == result["segments"] == segments
    assert [error["kind"] for error in result["errors"]] == errors
