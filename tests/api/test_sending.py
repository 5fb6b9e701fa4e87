"""`POST /v1/messages:send`: what reaches the engine, and what the answer says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.errors import Conflict, ErrorKind, PreconditionFailed, RetrySafety, Throttled
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.send_request import OnUnknown, Tracking
from sms_connector.model.status import MessageStatus
from sms_connector.store.message_record import MessageRecord, Phase

TO = "+15558675310"
GOOD: dict[str, Any] = {"to": TO, "message": "Your code is 1234"}
TABLE: dict[str, Any] = {
    "message": "Hello <first name>, order <order> ships today.",
    "mapping": {"to": "mobile", "first name": "firstName", "order": "orderId"},
    "records": [{"mobile": "+15558675310", "firstName": "Ann", "orderId": "A-1"}],
    "sender": "+15551234567",
    "tracking": {"retryIntervalMillis": 10000, "retryAttempts": 6, "wait": True},
    "onUnknown": "report",
}
POOL = "MG" + "0" * 32


def test_one_message_with_the_defaults_of_the_connection(api: Any) -> None:
    answer = api.send(GOOD)
    assert answer.status_code == 200
    assert answer.headers["X-Request-Id"] == answer.json["requestId"]
    [request] = api.double.requests
    [draft] = request.drafts
    assert (draft.index, draft.to, draft.text, draft.segments.count) == (0, TO, "Your code is 1234", 1)
    assert request.options.sender == "+15551234567"
    assert request.options.tracking == Tracking(10.0, 6, wait=False)
    assert request.options.on_unknown is OnUnknown.REPORT


def test_records_with_mapping_and_every_option(api: Any) -> None:
    document = TABLE | {
        "sender": POOL,
        "mediaUrls": ["https://a.example/cat.png"],
        "validitySeconds": 3600,
        "sendAt": "2026-01-01T02:00:00+01:00",
        "callbackUrl": "https://a.example/hook?x=1",
        "onUnknown": "resend",
        "tracking": {"retryIntervalMillis": 250},
    }
    assert api.send(document).status_code == 200
    [request] = api.double.requests
    assert request.drafts[0].text == "Hello Ann, order A-1 ships today."
    options = request.options
    assert options.sender == POOL
    assert options.media_urls == ("https://a.example/cat.png",)
    assert options.validity_seconds == 3600
    assert options.send_at == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert options.callback_url == "https://a.example/hook?x=1"
    assert options.on_unknown is OnUnknown.RESEND
    assert options.tracking == Tracking(0.25, 6, wait=False)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        pytest.param({"message": "a < b <3 <>", "to": TO}, "a < b <3 <>", id="a < that opens nothing is text"),
        pytest.param(
            {"message": "<n>", "records": [{"to": TO, "n": 3.0}]}, "3", id="a number is written as JSON has it"
        ),
        pytest.param({"message": "<n>", "records": [{"to": TO, "n": True}]}, "true", id="a boolean"),
        pytest.param(
            {"message": "<n>", "records": [{"to": TO, "n": "<n>"}]}, "<n>", id="a value is never expanded again"
        ),
        pytest.param(
            {"message": "<prénom>", "records": [{"to": TO, "prénom": "Zoë", "other": [1, {"a": None}]}]},
            "Zoë",
            id="accents; fields of no concern may be anything",
        ),
        pytest.param({"message": "x" * 1600, "to": TO}, "x" * 1600, id="1 600 characters are allowed"),
        pytest.param({"message": "", "to": TO, "mediaUrls": ["https://a.example/x"]}, "", id="media need no text"),
    ],
)
def test_renders(api: Any, document: dict[str, Any], text: str) -> None:
    assert api.send(document).status_code == 200
    assert api.double.requests[0].drafts[0].text == text


def test_a_thousand_records_keep_their_order(api: Any) -> None:
    numbers = [f"+1555867{n:04}" for n in range(1000)]
    answer = api.send({"message": "x", "records": [{"to": number} for number in numbers]})
    assert [result["to"] for result in answer.json["results"]] == numbers
    assert [result["index"] for result in answer.json["results"]] == list(range(1000))
    assert answer.json["summary"] == {"queued": 1000}


def test_content_type_may_name_its_charset(api: Any) -> None:
    for content_type in ("application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"', "application/json"):
        answer = api.client.post("/v1/messages:send", data=json.dumps(GOOD), headers={"Content-Type": content_type})
        assert answer.status_code == 200, content_type


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090/x", "http://[::1]/x", "http://localhost:1/x"])
def test_a_local_run_may_call_back_to_loopback_in_the_clear(api: Any, url: str) -> None:
    assert api.send(GOOD | {"callbackUrl": url}).status_code == 200


# --- the answer -------------------------------------------------------------------------------------------------------


def refuse(record: MessageRecord) -> None:
    record.status = MessageStatus.ERROR
    record.provider_message_id = None
    record.failure = FailureReason(
        "provider",
        ErrorKind.INVALID_RECIPIENT,
        "The 'To' number is not valid",
        code=21211,
        more_info="https://a.example/21211",
    )


def lose(record: MessageRecord) -> None:
    record.provider_message_id, record.phase = None, Phase.CALLING
    record.mark_unknown("no answer within 10 s", at=record.created_at, window=900)


def test_a_plain_result_has_these_members_and_no_others(api: Any) -> None:
    [result] = api.send(GOOD).json["results"]
    assert result == {
        "index": 0,
        "id": api.double.requests and next(iter(api.double.records)),
        "to": TO,
        "status": "queued",
        "final": False,
        "sender": "+15551234567",
        "providerMessageId": "SM" + "0" * 32,
        "segments": 1,
        "encoding": "GSM-7",
        "attempts": 0,
        "sentAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:01.000Z",
        "error": None,
    }


def test_a_refusal_has_the_providers_own_words(api: Any) -> None:
    api.double.settle = refuse
    [result] = api.send(GOOD).json["results"]
    assert (result["status"], result["final"], result["providerMessageId"]) == ("error", True, None)
    assert result["error"] == {
        "source": "provider",
        "kind": "INVALID_RECIPIENT",
        "code": 21211,
        "message": "The 'To' number is not valid",
        "moreInfo": "https://a.example/21211",
        "retry": "never",
    }


def test_an_unknown_outcome_has_evidence_and_no_link(api: Any) -> None:
    api.double.settle = lose
    [result] = api.send(GOOD).json["results"]
    assert (result["status"], result["final"]) == ("unknown", False)
    assert result["error"] == {
        "source": "transport",
        "kind": "UNKNOWN_OUTCOME",
        "message": "no answer within 10 s",
        "retry": "unknown_outcome",
        "evidence": ["no answer within 10 s"],
    }


def test_the_summary_counts_by_status(api: Any) -> None:
    api.double.settle = lambda record: refuse(record) if record.index == 1 else None
    answer = api.send({"message": "x", "records": [{"to": TO}] * 3})
    assert answer.json["summary"] == {"queued": 2, "error": 1}


# --- records that are wrong -------------------------------------------------------------------------------------------


def test_a_bad_record_can_be_reported_beside_the_others(api: Any) -> None:
    rows = [{"to": TO, "name": "Ann"}, {"to": "0123", "name": "Bo"}, {"to": TO, "name": "Cy"}]
    answer = api.send({"message": "Hi <name>", "records": rows, "onInvalid": "report"})
    assert answer.status_code == 200
    assert [draft.index for draft in api.double.requests[0].drafts] == [0, 2]
    results = answer.json["results"]
    assert [result["status"] for result in results] == ["queued", "error", "queued"]
    assert (results[1]["id"], results[1]["to"], results[1]["final"]) == (None, "0123", True)
    error = results[1]["error"]
    assert (error["source"], error["kind"], error["retry"]) == ("connector", "INVALID_RECIPIENT", "never")
    assert error["field"] == "records[1].to"


def test_with_no_good_record_nothing_is_asked_of_the_engine(api: Any) -> None:
    answer = api.send({"message": "x", "records": [{"to": "1"}, {"to": None}], "onInvalid": "report"})
    assert answer.json["summary"] == {"error": 2}
    assert api.double.calls == []


def test_the_second_of_two_equal_keys_is_the_bad_one(api: Any) -> None:
    rows = [{"to": TO, "key": "a"}, {"to": TO, "key": "a"}, {"to": TO, "key": "b"}]
    answer = api.send({"message": "x", "records": rows, "onInvalid": "report"})
    assert [draft.key for draft in api.double.requests[0].drafts] == ["a", "b"]
    assert answer.json["results"][1]["error"]["field"] == "records[1].key"


# --- dry run ----------------------------------------------------------------------------------------------------------


def test_a_dry_run_renders_and_measures_and_asks_nothing(api: Any) -> None:
    answer = api.send(TABLE | {"dryRun": True}, Idempotency_Key="k")
    assert answer.json["dryRun"] is True
    [result] = answer.json["results"]
    assert result["text"] == "Hello Ann, order A-1 ships today."
    assert (result["id"], result["segments"], result["encoding"]) == (None, 1, "GSM-7")
    assert api.double.calls == []


# --- idempotency ------------------------------------------------------------------------------------------------------


def test_a_key_keeps_the_answer_and_gives_it_again(api: Any) -> None:
    first = api.send(GOOD, Idempotency_Key="order-1")
    assert "Idempotency-Replayed" not in first.headers
    again = api.send(GOOD, Idempotency_Key="order-1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.data == first.data
    assert len(api.double.requests) == 1
    assert api.double.requests[0].nonce == "nonce"


def test_a_stored_answer_is_given_again_while_suspended(api: Any) -> None:
    first = api.send(GOOD, Idempotency_Key="k")
    api.double.fail_with["require_active"] = PreconditionFailed("suspended", kind=ErrorKind.SUSPENDED)
    assert api.send(GOOD, Idempotency_Key="k").data == first.data


def test_the_digest_is_of_what_is_said_and_not_of_how(api: Any) -> None:
    digests = []
    for body in (b'{"to": "+15558675310", "message": "x"}', b'{"message":"\\u0078","to":"+15558675310"}'):
        api.client.post(
            "/v1/messages:send", data=body, content_type="application/json", headers={"Idempotency-Key": "k"}
        )
        digests.append(api.double.keys.digests["k"])
    api.send({"to": TO, "message": "y"}, Idempotency_Key="k")
    assert digests[0] == digests[1] != api.double.keys.digests["k"]


@pytest.mark.parametrize(
    ("call", "error", "status", "ends_with"),
    [
        pytest.param(
            "send", Throttled("busy", retry_after=1.2), 429, "abandon", id="nothing was sent: the key is free"
        ),
        pytest.param(
            "require_active",
            PreconditionFailed("suspended", kind=ErrorKind.SUSPENDED),
            422,
            "abandon",
            id="suspended: nothing was sent either",
        ),
        pytest.param(
            "send", RuntimeError("power cut"), 500, "release", id="in the middle: carried on by who asks again"
        ),
        pytest.param("send", Conflict("messages", "m"), 500, "release", id="a ledger that changed underneath"),
    ],
)
def test_what_becomes_of_the_key_when_a_send_fails(
    api: Any, call: str, error: Exception, status: int, ends_with: str
) -> None:
    api.double.fail_with[call] = error
    assert api.send(GOOD, Idempotency_Key="k").status_code == status
    assert api.double.calls[-1] == ends_with


def test_a_fault_between_us_and_the_ledger_is_no_business_of_the_callers(api: Any) -> None:
    api.double.fail_with["send"] = Conflict("messages", "msg_1")
    error = api.send(GOOD).json["error"]
    assert (error["status"], error["details"]) == ("INTERNAL", [])
    assert "msg_1" not in error["message"]


def test_429_tells_when_in_seconds_and_exactly(api: Any) -> None:
    api.double.fail_with["send"] = Throttled("30 s of calls are waiting", retry_after=1.2345)
    answer = api.send(GOOD)
    assert answer.headers["Retry-After"] == "2"
    assert answer.json["error"] == {
        "code": 429,
        "status": "RESOURCE_EXHAUSTED",
        "message": "30 s of calls are waiting",
        "details": [{"kind": "RATE_LIMITED", "retry": RetrySafety.SAFE, "retryAfterMillis": 1235}],
    }


def test_a_record_that_was_sent_before_says_so(api: Any) -> None:
    api.double.settle = lambda record: setattr(record, "replayed", True)
    [result] = api.send({"message": "x", "records": [{"to": TO, "key": "k"}]}).json["results"]
    assert result["replayed"] is True


def test_a_channel_of_the_providers(api: Any) -> None:
    answer = api.send({"to": f"whatsapp:{TO}", "message": "x", "sender": f"whatsapp:{TO}"})
    assert answer.status_code == 200
    assert api.double.requests[0].drafts[0].to == f"whatsapp:{TO}"


def test_what_a_provider_can_not_do_is_refused_before_any_call(make: Any) -> None:
    from sms_connector.provider import Capabilities

    api = make(capabilities=Capabilities())
    wanted = GOOD | {
        "mediaUrls": ["https://a.example/x"],
        "validitySeconds": 1,
        "sendAt": "2026-01-01T01:00:00Z",
    }
    details = api.send(wanted).json["error"]["details"]
    assert {detail["field"]: detail["kind"] for detail in details} == dict.fromkeys(
        ("mediaUrls", "validitySeconds", "sendAt"), "UNSUPPORTED"
    )
    assert api.double.calls == []


def test_on_the_platform_a_callback_never_travels_in_the_clear(make: Any, profile: Any) -> None:
    api = make(profile=replace(profile, on_platform=True))
    assert api.send(GOOD | {"callbackUrl": "http://127.0.0.1/x"}).status_code == 400
