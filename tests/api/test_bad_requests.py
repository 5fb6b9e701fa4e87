"""What is wrong with a request is told with its place, before anything is asked of the engine. One row a flaw."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

SEND = "/v1/messages:send"
PREVIEW = "/v1/messages:preview"
LIST = "/v1/messages"
TO = "+15558675310"
GOOD: dict[str, Any] = {"to": TO, "message": "Hello"}
JSON_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Bad:
    """`body` is sent as it is where it is bytes, else as JSON. `fields` are the paths that must be named, all of them."""

    reason: str
    body: Any = None
    fields: tuple[str, ...] = ("",)
    kind: str = "INVALID_REQUEST"
    method: str = "POST"
    path: str = SEND
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON_HEADERS))
    status: int = 400


def records(*rows: Any, message: str = "Hi <name>", **more: Any) -> dict[str, Any]:
    return {"message": message, "records": list(rows), **more}


def get(reason: str, path: str, *fields: str, kind: str = "INVALID_REQUEST", status: int = 400) -> Bad:
    return Bad(reason, None, fields, kind, "GET", path, {}, status)


ANN = {"to": TO, "name": "Ann"}

BODIES = [
    Bad("no body at all", b"", kind="MISSING_VALUE"),
    Bad("white space is no document", b"  "),
    Bad("cut off", b'{"to": "+15558675310", "message": "He'),
    Bad("two documents", b"{}{}"),
    Bad("not UTF-8", b'{"to": "\xff"}'),
    Bad("UTF-16, which JSON parsers like to guess", '{"to": "x"}'.encode("utf-16")),
    Bad("a byte order mark", b'\xef\xbb\xbf{"to": "x"}'),
    Bad("a raw control character in a string", b'{"message": "a\nb"}'),
    Bad("NaN is no JSON", b'{"to": "+15558675310", "message": "x", "validitySeconds": NaN}'),
    Bad("Infinity is no JSON", b'{"records": [{"a": -Infinity}], "message": "x"}'),
    Bad("a number of 5 000 digits", b'{"validitySeconds": ' + b"9" * 5000 + b"}"),
    Bad("nested 100 000 deep", b"[" * 100_000),
    Bad("nested deep and closed again", b'{"mapping":' * 20_000 + b"1" + b"}" * 20_000),
    Bad("a key twice at the top", b'{"to": "+15558675310", "to": "+15558675311", "message": "x"}', ("to",)),
    Bad("a key twice in a record", b'{"message": "x", "records": [{"to": "a", "to": "b"}]}', ("records[0].to",)),
    Bad("an array", b"[]"),
    Bad("a string", b'"hello"'),
    Bad("null", b"null"),
    Bad("half an emoji", b'{"to": "+15558675310", "message": "x \\ud83d y"}', ("message",), "INVALID_MESSAGE"),
    Bad("half an emoji in a value", records({**ANN, "name": "\udc00"}), ("records[0].name",)),
    Bad("a NUL character in the text", {**GOOD, "message": "a\x00b"}, ("message",), "INVALID_MESSAGE"),
    Bad("a NUL character in a name", records({**ANN, "x\x00": 1}), ("records[0].x�",)),
    Bad("over 10 MiB", b'{"message": "' + b"x" * (10 * 1024 * 1024) + b'"}'),
    Bad("a form", b"to=%2B15558675310&message=x", ("Content-Type",), headers={"Content-Type": "text/plain"}),
    Bad("curl's default", b"{}", ("Content-Type",), headers={"Content-Type": "application/x-www-form-urlencoded"}),
    Bad("no content type", b"{}", ("Content-Type",), headers={}),
    Bad("another charset", b"{}", ("Content-Type",), headers={"Content-Type": "application/json; charset=latin-1"}),
    Bad("a relative of JSON", b"{}", ("Content-Type",), headers={"Content-Type": "application/json+hal"}),
    Bad("compressed", b"\x1f\x8b", ("Content-Encoding",), headers={**JSON_HEADERS, "Content-Encoding": "gzip"}),
]

TYPES = [
    Bad("no message", {"to": TO}, ("message",), "MISSING_VALUE"),
    Bad("neither to nor records", {"message": "x"}, ("to",), "MISSING_VALUE"),
    Bad("nothing but an object", {}, ("message",), "MISSING_VALUE"),
    Bad("both to and records", {**GOOD, "records": [ANN]}, ("to",)),
    Bad("an unknown field", {**GOOD, "body": "x"}, ("body",), "UNKNOWN_FIELD"),
    Bad("snake case", {**GOOD, "on_unknown": "report"}, ("on_unknown",), "UNKNOWN_FIELD"),
    Bad("three unknown fields, all named", {**GOOD, "a": 1, "b": 2, "c": 3}, ("a", "b", "c"), "UNKNOWN_FIELD"),
    Bad("wrong types, all named", {"to": 15558675310, "message": None, "dryRun": "yes"}, ("to", "message", "dryRun")),
    Bad("message a number", {**GOOD, "message": 1234}, ("message",)),
    Bad("a list of recipients", {**GOOD, "to": [TO]}, ("to",)),
    Bad("records an object", {"message": "x", "records": {"to": TO}}, ("records",)),
    Bad("a record that is a string", records(TO), ("records[0]",)),
    Bad("two records that are none", records(ANN, 1, None), ("records[1]", "records[2]")),
    Bad("no records", records(), ("records",)),
    Bad("1 001 records", records(*[ANN] * 1001), ("records",)),
    Bad("mapping a list", records(ANN, mapping=["to"]), ("mapping",)),
    Bad("mapping to a number", records(ANN, mapping={"name": 1}), ("mapping.name",)),
    Bad("tracking null", {**GOOD, "tracking": None}, ("tracking",)),
    Bad("unknown field in tracking", {**GOOD, "tracking": {"retries": 1}}, ("tracking.retries",), "UNKNOWN_FIELD"),
    Bad("interval too short", {**GOOD, "tracking": {"retryIntervalMillis": 99}}, ("tracking.retryIntervalMillis",)),
    Bad(
        "interval too long", {**GOOD, "tracking": {"retryIntervalMillis": 3_600_001}}, ("tracking.retryIntervalMillis",)
    ),
    Bad("interval a string", {**GOOD, "tracking": {"retryIntervalMillis": "10"}}, ("tracking.retryIntervalMillis",)),
    Bad(
        "interval a fraction", {**GOOD, "tracking": {"retryIntervalMillis": 1000.5}}, ("tracking.retryIntervalMillis",)
    ),
    Bad("interval true", {**GOOD, "tracking": {"retryIntervalMillis": True}}, ("tracking.retryIntervalMillis",)),
    Bad(
        "interval 1e400",
        b'{"to":"+15558675310","message":"x","tracking":{"retryIntervalMillis":1e400}}',
        ("tracking.retryIntervalMillis",),
    ),
    Bad("attempts negative", {**GOOD, "tracking": {"retryAttempts": -1}}, ("tracking.retryAttempts",)),
    Bad("attempts over 100", {**GOOD, "tracking": {"retryAttempts": 101}}, ("tracking.retryAttempts",)),
    Bad("attempts beyond 64 bits", {**GOOD, "tracking": {"retryAttempts": 2**70}}, ("tracking.retryAttempts",)),
    Bad(
        "a wait beyond the platform's time",
        {**GOOD, "tracking": {"wait": True, "retryIntervalMillis": 3_600_000, "retryAttempts": 100}},
        ("tracking.wait",),
    ),
    Bad(
        "a wait of an hour",
        {**GOOD, "tracking": {"wait": True, "retryIntervalMillis": 60_000, "retryAttempts": 60}},
        ("tracking.wait",),
    ),
    Bad("wait 1", {**GOOD, "tracking": {"wait": 1}}, ("tracking.wait",)),
    Bad("onUnknown another word", {**GOOD, "onUnknown": "retry"}, ("onUnknown",)),
    Bad("onUnknown a number", {**GOOD, "onUnknown": 1}, ("onUnknown",)),
    Bad("onInvalid another word", {**GOOD, "onInvalid": "skip"}, ("onInvalid",)),
]

NUMBERS = [
    Bad(
        "the contract's own example",
        records(ANN, ANN, ANN, {"to": "0123", "name": "Bo"}),
        ("records[3].to",),
        "INVALID_RECIPIENT",
    ),
    Bad(
        "the mapped field is the path",
        records({"mobile": "0123", "name": "Bo"}, mapping={"to": "mobile"}),
        ("records[0].mobile",),
        "INVALID_RECIPIENT",
    ),
    Bad(
        "all bad numbers at once",
        records({"to": "1", "name": "a"}, ANN, {"to": "2", "name": "b"}),
        ("records[0].to", "records[2].to"),
        "INVALID_RECIPIENT",
    ),
    Bad("a national number", {**GOOD, "to": "030 1234567"}, ("to",), "INVALID_RECIPIENT"),
    Bad("letters among the digits", {**GOOD, "to": "+1 (555) 867-531O"}, ("to",), "INVALID_RECIPIENT"),
    Bad("a spreadsheet's decimal", {**GOOD, "to": "15558675310.0"}, ("to",), "INVALID_RECIPIENT"),
    Bad("no country", {**GOOD, "defaultCountry": "Germany"}, ("defaultCountry",)),
    Bad("no plus", {**GOOD, "to": "15558675310"}, ("to",), "INVALID_RECIPIENT"),
    Bad("too long", {**GOOD, "to": "+1555867531012345"}, ("to",), "INVALID_RECIPIENT"),
    Bad("a country code that does not exist", {**GOOD, "to": "+9995551234"}, ("to",), "INVALID_RECIPIENT"),
    Bad("a recipient that is empty", {**GOOD, "to": ""}, ("to",), "MISSING_VALUE"),
    Bad("a channel the provider has not", {**GOOD, "to": "messenger:123"}, ("to",), "INVALID_RECIPIENT"),
    Bad("a recipient of 201 characters", {**GOOD, "to": "+" + "1" * 200}, ("to",)),
    Bad("a sender that is none", {**GOOD, "sender": "much too long a name"}, ("sender",), "INVALID_SENDER"),
    Bad("a sender of two digits", {**GOOD, "sender": "12"}, ("sender",), "INVALID_SENDER"),
    Bad("an empty sender", {**GOOD, "sender": ""}, ("sender",), "INVALID_SENDER"),
    Bad("a sender of a channel the provider has not", {**GOOD, "sender": "rcs:brand"}, ("sender",), "INVALID_SENDER"),
]

TEXTS = [
    Bad("empty", {**GOOD, "message": ""}, ("message",), "INVALID_MESSAGE"),
    Bad("blank", {**GOOD, "message": " \n"}, ("message",), "INVALID_MESSAGE"),
    Bad(
        "801 emoji are 1 602 of the provider's units",
        {**GOOD, "message": "\U0001f600" * 801},
        ("message",),
        "INVALID_MESSAGE",
    ),
    Bad(
        "801 emoji in a dry run",
        {**GOOD, "message": "\U0001f600" * 801, "dryRun": True},
        ("message",),
        "INVALID_MESSAGE",
    ),
    Bad("1 601 characters", {**GOOD, "message": "x" * 1601}, ("message",), "INVALID_MESSAGE"),
    Bad(
        "1 601 characters once rendered: names the record",
        records(ANN, {**ANN, "name": "x" * 1599}),
        ("records[1]",),
        "INVALID_MESSAGE",
    ),
    Bad(
        "blank once rendered can't be: a blank value is missing",
        records({**ANN, "name": " "}, message="<name>"),
        ("records[0].name",),
        "MISSING_VALUE",
    ),
    Bad("six placeholders", records(ANN, message="<a><b><c><d><e><f>"), ("message",), "INVALID_MESSAGE"),
    Bad("placeholders without records", {**GOOD, "message": "Hi <name>"}, ("message",), "MISSING_VALUE"),
    Bad("a mapping without records", {**GOOD, "mapping": {"to": "x"}}, ("mapping",)),
    Bad("a mapping of what is no placeholder", records(ANN, mapping={"nmae": "x"}), ("mapping.nmae",), "UNKNOWN_FIELD"),
    Bad(
        "a mapping of what is no placeholder, and values that are missing: both",
        records({"mobile": "+15558675310"}, mapping={"to": "mobile", "nmae": "x"}),
        ("mapping.nmae", "records[0].name"),
        "UNKNOWN_FIELD",
    ),
    Bad("a mapping to nothing", records(ANN, mapping={"name": ""}), ("mapping.name",)),
    Bad("missing values, all named", records({"x": 1}), ("records[0].to", "records[0].name"), "MISSING_VALUE"),
    Bad("null is missing", records({**ANN, "name": None}), ("records[0].name",), "MISSING_VALUE"),
    Bad("a value that is a list", records({**ANN, "name": ["a"]}), ("records[0].name",)),
    Bad("a value that is an object", records({**ANN, "name": {"first": "a"}}), ("records[0].name",)),
    Bad(
        "flaws of message, sender and record, all named",
        {"message": "x", "records": [{"to": "1"}], "sender": "12", "validitySeconds": 999_999},
        ("sender", "validitySeconds", "records[0].to"),
        "INVALID_SENDER",
    ),
]

KEYS = [
    Bad("an empty key", GOOD, ("Idempotency-Key",), headers={**JSON_HEADERS, "Idempotency-Key": ""}),
    Bad("256 characters", GOOD, ("Idempotency-Key",), headers={**JSON_HEADERS, "Idempotency-Key": "k" * 256}),
    Bad("a space", GOOD, ("Idempotency-Key",), headers={**JSON_HEADERS, "Idempotency-Key": "a b"}),
    Bad("beyond ASCII", GOOD, ("Idempotency-Key",), headers={**JSON_HEADERS, "Idempotency-Key": "schlüssel"}),
    Bad("two records, one key", records({**ANN, "key": "k"}, {**ANN, "key": "k"}), ("records[1].key",)),
    Bad("a record's key a number", records({**ANN, "key": 7}), ("records[0].key",)),
    Bad("a record's key empty", records({**ANN, "key": ""}), ("records[0].key",)),
    Bad("a record's key too long", records({**ANN, "key": "k" * 256}), ("records[0].key",)),
    Bad("a record's key with a tab", records({**ANN, "key": "a\tb"}), ("records[0].key",)),
]

OPTIONS = [
    Bad("media that is no address", {**GOOD, "mediaUrls": ["cat.png"]}, ("mediaUrls[0]",)),
    Bad(
        "media of another scheme",
        {**GOOD, "mediaUrls": ["https://a.example/x", "file:///etc/passwd"]},
        ("mediaUrls[1]",),
    ),
    Bad("media with a password", {**GOOD, "mediaUrls": ["https://u:p@a.example/x"]}, ("mediaUrls[0]",)),
    Bad("too much media", {**GOOD, "mediaUrls": ["https://a.example/x"] * 11}, ("mediaUrls",), "UNSUPPORTED"),
    Bad("media a number", {**GOOD, "mediaUrls": [1]}, ("mediaUrls[0]",)),
    Bad("a port that is none", {**GOOD, "mediaUrls": ["https://a.example:99999/x"]}, ("mediaUrls[0]",)),
    Bad("validity 0", {**GOOD, "validitySeconds": 0}, ("validitySeconds",)),
    Bad("validity beyond the provider's", {**GOOD, "validitySeconds": 36_001}, ("validitySeconds",)),
    Bad("sendAt no time", {**GOOD, "sendAt": "tomorrow"}, ("sendAt",)),
    Bad("sendAt without a zone", {**GOOD, "sendAt": "2026-01-01T10:00:00"}, ("sendAt",)),
    Bad("sendAt on February 30", {**GOOD, "sendAt": "2026-02-30T10:00:00Z"}, ("sendAt",)),
    Bad("sendAt too soon", {**GOOD, "sendAt": "2026-01-01T00:04:59Z"}, ("sendAt",)),
    Bad("sendAt too late", {**GOOD, "sendAt": "2027-01-01T00:00:00Z"}, ("sendAt",)),
    Bad("sendAt in the year 9999", {**GOOD, "sendAt": "9999-12-31T23:59:59-23:59"}, ("sendAt",)),
    Bad("sendAt needs a pool", {**GOOD, "sendAt": "2026-01-01T01:00:00Z"}, ("sendAt",), "UNSUPPORTED"),
    Bad("callback in the clear", {**GOOD, "callbackUrl": "http://a.example/x"}, ("callbackUrl",)),
    Bad("callback with a password", {**GOOD, "callbackUrl": "https://u:p@a.example/x"}, ("callbackUrl",)),
    Bad("callback without a host", {**GOOD, "callbackUrl": "https:///x"}, ("callbackUrl",)),
    Bad("callback with a broken host", {**GOOD, "callbackUrl": "https://[::1/x"}, ("callbackUrl",)),
    Bad("callback of 2 049 characters", {**GOOD, "callbackUrl": "https://a.example/" + "x" * 2031}, ("callbackUrl",)),
    Bad("callback with a line break", {**GOOD, "callbackUrl": "https://a.example/x\r\nX: y"}, ("callbackUrl",)),
    Bad("callback to a script", {**GOOD, "callbackUrl": "javascript:alert(1)"}, ("callbackUrl",)),
]

OTHERS = [
    Bad("preview: an unknown field", {**GOOD, "callbackUrl": "x"}, ("callbackUrl",), "UNKNOWN_FIELD", path=PREVIEW),
    Bad("preview: six placeholders", {"message": "<a><b><c><d><e><f>"}, ("message",), "INVALID_MESSAGE", path=PREVIEW),
    Bad("preview: no body", b"", ("",), "MISSING_VALUE", path=PREVIEW),
    Bad("cancel: a body with a field", {"reason": "x"}, ("reason",), "UNKNOWN_FIELD", path="/v1/messages/msg_1:cancel"),
    Bad("suspend: the reason a number", {"reason": 1}, ("reason",), path="/v1/connection:suspend"),
    Bad("suspend: a reason of 501 characters", {"reason": "x" * 501}, ("reason",), path="/v1/connection:suspend"),
    Bad("resume: a reason", {"reason": "x"}, ("reason",), "UNKNOWN_FIELD", path="/v1/connection:resume"),
    Bad("test: an array", [], ("",), path="/v1/connection:test"),
    Bad("opt-out: an unknown field", {"why": "x"}, ("why",), "UNKNOWN_FIELD", "PUT", "/v1/optOuts/+15558675310"),
    Bad("opt-out: half a body", b"{", ("",), "INVALID_REQUEST", "PUT", "/v1/optOuts/+15558675310"),
    Bad("send: a query parameter", GOOD, ("dryRun",), path=SEND + "?dryRun=true"),
    Bad("send: an unknown parameter", GOOD, ("dry",), "UNKNOWN_FIELD", path=SEND + "?dry=true"),
    get("list: an unknown parameter", f"{LIST}?state=sent", "state", kind="UNKNOWN_FIELD"),
    get("two unknown parameters, both named", f"{LIST}?a=1&b=2", "a", "b", kind="UNKNOWN_FIELD"),
    get("a parameter twice", f"{LIST}?status=sent&status=sent", "status"),
    get("a status that is none", f"{LIST}?status=SENT", "status"),
    get("a recipient that is none", f"{LIST}?to=0123", "to", kind="INVALID_RECIPIENT"),
    get("an empty recipient", f"{LIST}?to=", "to"),
    get("page size 0", f"{LIST}?pageSize=0", "pageSize"),
    get("page size 201", f"{LIST}?pageSize=201", "pageSize"),
    get("page size a word", f"{LIST}?pageSize=all", "pageSize"),
    get("page size with an exponent", f"{LIST}?pageSize=1e1", "pageSize"),
    get("page size with a fraction", f"{LIST}?pageSize=10.0", "pageSize"),
    get("page size with a sign", f"{LIST}?pageSize=%2B10", "pageSize"),
    get("page size empty", f"{LIST}?pageSize=", "pageSize"),
    get("page size null", f"{LIST}?pageSize=null", "pageSize"),
    get("a token we never gave", f"{LIST}?pageToken=abc", "pageToken"),
    get("a token that is JSON of another shape", f"{LIST}?pageToken=W10", "pageToken"),
    get("a time that is none", f"{LIST}?createdAfter=yesterday", "createdAfter"),
    get("a time of today only", f"{LIST}?createdBefore=2026-01-01", "createdBefore"),
    get("a campaign that is none", f"{LIST}?campaign=cmp_1&status=sent", "campaign"),
    get("one message, narrowed down", f"{LIST}?providerMessageId=SM1&status=sent", "providerMessageId"),
    get("a query not in UTF-8", f"{LIST}?to=%FF", ""),
    get("a NUL character", f"{LIST}?campaign=a%00b", "campaign"),
    get("51 parameters", f"{LIST}?" + "&".join(f"p{n}=1" for n in range(51)), ""),
    get("a status that is empty", f"{LIST}?status=", "status"),
    get("inbound: a filter it has not", "/v1/inboundMessages?from=x", "from", kind="UNKNOWN_FIELD"),
    get("opt-outs: page size", "/v1/optOuts?pageSize=-1", "pageSize"),
    get("health: a parameter", "/health?deep=true", "deep", kind="UNKNOWN_FIELD"),
]

ALL = [*BODIES, *TYPES, *NUMBERS, *TEXTS, *KEYS, *OPTIONS, *OTHERS]


@pytest.mark.parametrize("bad", [pytest.param(bad, id=bad.reason) for bad in ALL])
def test_tells_the_field_and_asks_nothing_of_the_engine(api: Any, bad: Bad) -> None:
    body = bad.body if isinstance(bad.body, bytes | None) else json.dumps(bad.body).encode()
    headers = bad.headers if bad.method != "GET" else {}
    answer = api.client.open(bad.path, method=bad.method, data=body, headers=headers)
    assert answer.status_code == bad.status, answer.text
    error = answer.json["error"]
    assert error["code"] == bad.status
    assert error["status"] == "INVALID_ARGUMENT"
    assert sorted(detail["field"] for detail in error["details"]) == sorted(bad.fields)
    assert error["details"][0]["kind"] == bad.kind
    assert answer.headers["X-Request-Id"]
    assert api.double.calls == []


def test_an_opt_out_of_no_number_is_refused_unless_it_is_kept_already(api: Any) -> None:
    """A list may hold a name or a code that no message could go to: that is looked up, and nothing else is done."""
    answer = api.client.put("/v1/optOuts/0123", data=b"{}", headers=JSON_HEADERS)
    assert (answer.status_code, answer.json["error"]["details"][0]["field"]) == (400, "number")
    assert answer.json["error"]["details"][0]["kind"] == "INVALID_RECIPIENT"
    assert api.double.calls == ["optOuts.get"]


def test_there_are_enough_of_them() -> None:
    assert len(ALL) >= 60
    assert len({bad.reason for bad in ALL}) == len(ALL)


def test_a_byte_order_mark_is_named_in_words_of_http(api: Any) -> None:
    answer = api.client.post(SEND, data=b'\xef\xbb\xbf{"to": "x"}', headers=JSON_HEADERS)
    assert answer.json["error"]["message"] == "the body begins with a byte order mark; save it as UTF-8 without one"


def test_an_error_of_many_fields_tells_each_in_words_and_the_first_hundred_only(api: Any) -> None:
    answer = api.send({"message": "x", "records": [{"to": "1"}] * 150})
    error = answer.json["error"]
    assert error["message"].startswith("records[0].to: '1' is not a phone number in E.164 form")
    assert error["message"].endswith("(and 149 more, see details)")
    assert len(error["details"]) == 101
    assert error["details"][99]["field"] == "records[99].to"
    assert error["details"][100] == {"kind": "INVALID_REQUEST", "message": "and 50 more"}


@pytest.mark.parametrize(
    ("wrong", "fix"),
    [
        pytest.param({"mesage": "x"}, "did you mean message?", id="a slip of the pen gets the name that was meant"),
        pytest.param({"to": "5558675310"}, "+15558675310", id="a national number: of the default sender's country"),
        pytest.param({"onUnknown": "x"}, "one of report, resend", id="a choice: what there is"),
        pytest.param({"validitySeconds": 40_000}, "at most 36000", id="a limit: the limit"),
        pytest.param({"dryRun": 1}, "must be true or false, not a whole number", id="a type: both types"),
    ],
)
def test_the_message_tells_the_fix(api: Any, wrong: dict[str, Any], fix: str) -> None:
    error = api.send({**GOOD, **wrong}).json["error"]
    assert fix in json.dumps(error, ensure_ascii=False)


def test_no_sender_anywhere_names_the_setting(api_without_sender: Any) -> None:
    answer = api_without_sender.send(GOOD)
    assert answer.status_code == 400
    assert "SMS_SENDER" in answer.json["error"]["message"]
    assert api_without_sender.double.calls == []
