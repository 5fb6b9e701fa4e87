"""Signatures by the reference's vectors and against Twilio's own library; what callbacks say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from sms_connector.errors import ErrorKind, InvalidRequest, NotSent
from sms_connector.model.inbound_message import InboundMessage, Keyword
from sms_connector.model.status import MessageStatus
from sms_connector.provider import RawCallback
from sms_connector.providers.twilio.webhooks import is_signed, read_message, read_status, twiml_reply
from tests.providers.twilio import twilio_wire as wire
from tests.providers.twilio.conftest import TwilioWith

HOST = "https://sms.example.com"
STATUS_URL = f"{HOST}/hooks/twilio/status?tenant=acme"
INBOUND_URL = f"{HOST}/hooks/twilio/inbound"
FORM = "application/x-www-form-urlencoded"
SETTINGS = "X-Twilio-Webhooks-Signature-Settings"
JSON_BODY = b'{"status":"delivered","sid":"SM1"}'
JSON_URL = f"{HOST}/hooks/twilio/json?bodySHA256=519fc2b588347bac1152bde011188f69b00767d44fdd33f765daff96ba3e7f1e"

STATUS = [
    ("AccountSid", wire.ACCOUNT),
    ("ApiVersion", "2010-04-01"),
    ("From", "+15017122661"),
    ("MessageSid", wire.SID),
    ("MessageStatus", "delivered"),
    ("SmsSid", wire.SID),
    ("SmsStatus", "delivered"),
    ("To", "+15558675310"),
]
INBOUND = [
    ("Body", "Olá – ça va? 👍"),
    ("From", "+15558675310"),
    ("MessageSid", "SM00000000000000000000000000000002"),
    ("NumMedia", "0"),
    ("To", "+15017122661"),
]
SHA256 = {SETTINGS: "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}


def post(url: str, fields: list[tuple[str, str]], signature: str, headers: dict[str, str] | None = None) -> RawCallback:
    given_headers = {"Content-Type": FORM, "X-Twilio-Signature": signature, **(headers or {})}
    return RawCallback("POST", url, given_headers, urlencode(fields).encode(), wire.NOW)


def posted_json(body: bytes, signature: str = "Gyk1qSDDjRktnvaf51q8NomN9Yg=", url: str = JSON_URL) -> RawCallback:
    return RawCallback(
        "POST", url, {"Content-Type": "application/json", "X-Twilio-Signature": signature}, body, wire.NOW
    )


# The vectors of Twilio's library, computed with it once.
@pytest.mark.parametrize(
    "callback",
    [
        post(STATUS_URL, STATUS, "Gahk9UGeWifqG7dmT0ChSXRvpDw="),
        post(STATUS_URL, STATUS, "Z9a8lAlC7nevLBIyl+OHkL0j4Gc="),
        post(STATUS_URL.replace(".com", ".com:443"), STATUS, "Gahk9UGeWifqG7dmT0ChSXRvpDw="),
        post(STATUS_URL, STATUS, "6Z8cacQroKdgmksyM1Nf6VEV1OY6aTP8idYt9UtKGjU=", SHA256),
        post(STATUS_URL, list(reversed(STATUS)), "Gahk9UGeWifqG7dmT0ChSXRvpDw="),
        post(STATUS_URL + "#rc=3&rp=all", STATUS, "Gahk9UGeWifqG7dmT0ChSXRvpDw="),
        post(STATUS_URL, STATUS, wire.sign(STATUS_URL + "#rc=3&rp=all", STATUS)),
        post(STATUS_URL, STATUS, "Gahk9UGeWifqG7dmT0ChSXRvpDw=", {SETTINGS: "key=webhooks_sharedkey_1"}),
        post(INBOUND_URL, INBOUND, "KtxElSWhhwL+Kx+zb1iAvimE3hs="),
        post(INBOUND_URL, [("Body", ""), *INBOUND[1:]], "eiokilCoIkX8Ze1MFvtEUW2BF0M="),
        posted_json(JSON_BODY),
        RawCallback(
            "GET",
            f"{INBOUND_URL}?From=%2B15558675310&Body=Hi",
            {"x-twilio-signature": "wWVJZmXZPkHs56P6f2DdsGqwbh4="},
            b"",
            wire.NOW,
        ),
        post("https://h/x", [("A", "2"), ("A", "1"), ("A", "2"), ("B", "x")], "+p+CO2hOnSgxcXqfgpkidapFsck="),
    ],
    ids=[
        "A",
        "A, signed with the port",
        "A, called with the port",
        "A, SHA-256",
        "A, in another order",
        "A, delivery options in our URL",
        "A, delivery options signed too",
        "A, settings without an algorithm",
        "B",
        "B, blank",
        "C, JSON",
        "D, GET",
        "E, repeated names",
    ],
)
def test_reference_vectors(callback: RawCallback) -> None:
    assert is_signed(callback, [wire.TOKEN])
    assert is_signed(callback, ["another", wire.TOKEN])
    assert not is_signed(callback, ["another"])
    assert not is_signed(callback, [])


@pytest.mark.parametrize(
    "callback",
    [
        post(STATUS_URL, STATUS, "Gahk9UGeWifqG7dmT0ChSXRvpDw=", SHA256),
        post(STATUS_URL, STATUS, "6Z8cacQroKdgmksyM1Nf6VEV1OY6aTP8idYt9UtKGjU="),
        post(STATUS_URL, STATUS, "Gahk9UGeWifqG7dmT0ChSXRvpDw=", {SETTINGS: "algorithm=HMAC_MD5"}),
        post(STATUS_URL, STATUS[1:], "Gahk9UGeWifqG7dmT0ChSXRvpDw="),
        post(STATUS_URL, [*STATUS, ("New", "")], "Gahk9UGeWifqG7dmT0ChSXRvpDw="),
        post(STATUS_URL.replace("https", "http"), STATUS, "Gahk9UGeWifqG7dmT0ChSXRvpDw="),
        post(STATUS_URL.replace(".com", ".com:8443"), STATUS, "Z9a8lAlC7nevLBIyl+OHkL0j4Gc="),
        posted_json(JSON_BODY + b" "),
        posted_json(JSON_BODY, wire.sign(f"{HOST}/hooks/twilio/json"), f"{HOST}/hooks/twilio/json"),
        posted_json(JSON_BODY, url=JSON_URL.upper()),
    ],
    ids=[
        "SHA-1 where SHA-256 is announced",
        "SHA-256 where nothing is announced",
        "an algorithm there is not",
        "a field less",
        "a blank field more",
        "another scheme",
        "another port",
        "JSON, one byte more",
        "JSON, nothing vouches for the body",
        "JSON, another URL",
    ],
)
def test_what_is_not_signed_as_it_should(callback: RawCallback) -> None:
    assert not is_signed(callback, [wire.TOKEN])


NAMES = st.text("ABCabc019_", min_size=1, max_size=6)
FIELDS = st.lists(st.tuples(NAMES, st.text(max_size=12)), max_size=8)


@given(FIELDS, st.sampled_from([STATUS_URL, INBOUND_URL, "https://h:8443/x?y=%20", "http://u:p@h/x"]))
def test_we_accept_what_twilios_library_signs(fields: list[tuple[str, str]], url: str) -> None:
    signature = RequestValidator(wire.TOKEN).compute_signature(url, _multi(fields))
    assert is_signed(post(url, fields, signature), [wire.TOKEN])


@given(FIELDS)
def test_twilios_library_accepts_what_our_tests_sign(fields: list[tuple[str, str]]) -> None:
    assert RequestValidator(wire.TOKEN).compute_signature(STATUS_URL, _multi(fields)) == wire.sign(STATUS_URL, fields)


def _multi(fields: list[tuple[str, str]]) -> MultiDict[str, str]:
    return MultiDict(fields)


def test_the_current_the_previous_and_the_shared_key_are_accepted(twilio: TwilioWith) -> None:
    callback = post(STATUS_URL, STATUS, "Gahk9UGeWifqG7dmT0ChSXRvpDw=")
    for name in ("auth-token", "auth-token-previous", "signing-key"):
        secrets = {"account-sid": wire.ACCOUNT, "auth-token": "new", name: wire.TOKEN}
        assert twilio(wire.account(), secrets=secrets).provider.verify_callback(callback), name
    with pytest.raises(NotSent, match="auth-token"):
        twilio(wire.account(), secrets={"account-sid": wire.ACCOUNT}).provider.verify_callback(callback)


# --- what they say ----------------------------------------------------------------------------------------------------


def test_a_failure_with_its_code() -> None:
    fields = wire.status_fields(status="undelivered", ErrorCode="30005", NewField="2027")
    report = read_status(post(STATUS_URL, fields, ""))
    assert (report.provider_message_id, report.to, report.sender) == (wire.SID, wire.RECIPIENT, wire.SENDER)
    assert report.failure
    assert (report.failure.kind, report.failure.code) == (ErrorKind.UNREACHABLE, 30005)
    assert report.failure.message == "Unknown destination handset"
    assert report.updated_at == wire.NOW


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"MessageSid": wire.SID, "MessageStatus": "undelivered", "ErrorCode": "30005"}, 30005, id="texts"),
        pytest.param(
            {"MessageSid": wire.SID, "MessageStatus": "undelivered", "ErrorCode": 30005}, 30005, id="a number"
        ),
        pytest.param({"SmsSid": wire.SID, "SmsStatus": "undelivered", "ErrorCode": None}, None, id="null, older names"),
        pytest.param({"MessageSid": wire.SID, "MessageStatus": "undelivered", "Extra": {"a": [1]}}, None, id="nested"),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_a_signed_json_body_says_the_same_as_a_form(
    fields: dict[str, object], code: int | None, content_type: str
) -> None:
    callback = signed_json(fields, content_type)
    assert is_signed(callback, [wire.TOKEN])
    report = read_status(callback)
    assert (report.provider_message_id, report.status) == (wire.SID, MessageStatus.UNDELIVERED)
    assert report.failure
    assert report.failure.code == code


def test_an_inbound_message_as_json() -> None:
    message = read_message(signed_json(dict(wire.inbound_fields(text="Olá")), "application/json"))
    assert (message.sender, message.text) == (wire.RECIPIENT, "Olá")


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b"\xff", b'"MessageSid"', b"[" * 100_000])
def test_a_json_body_that_is_not_an_object(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_status(RawCallback("POST", STATUS_URL, {"content-type": "application/json"}, body, wire.NOW))


def signed_json(fields: dict[str, object], content_type: str) -> RawCallback:
    body = json.dumps(fields).encode()
    url = f"{STATUS_URL}{'&' if '?' in STATUS_URL else '?'}bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"Content-Type": content_type, "X-Twilio-Signature": wire.sign(url)}
    return RawCallback("POST", url, headers, body, wire.NOW)


def test_the_older_names_of_the_same_fields_will_do() -> None:
    report = read_status(post(STATUS_URL, [("SmsSid", wire.SID), ("SmsStatus", "sent")], ""))
    assert (report.provider_message_id, report.status) == (wire.SID, MessageStatus.SENT)


def test_a_get_callback_says_it_in_the_url() -> None:
    report = read_status(RawCallback("GET", f"{HOST}/x?MessageSid={wire.SID}&MessageStatus=read", {}, b"", wire.NOW))
    assert report.status is MessageStatus.READ


@pytest.mark.parametrize(
    ("read", "fields", "missing"),
    [
        (read_status, [], ["MessageSid", "MessageStatus"]),
        (read_status, [("MessageSid", wire.SID), ("MessageStatus", "")], ["MessageStatus"]),
        (read_message, [], ["MessageSid", "From", "To"]),
        (read_message, [("MessageSid", wire.SID), ("From", "+15558675310")], ["To"]),
    ],
)
def test_what_is_missing_is_named(
    read: Callable[[RawCallback], object], fields: list[tuple[str, str]], missing: list[str]
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(post(STATUS_URL, fields, ""))
    assert [problem.field for problem in caught.value.problems] == missing


MESSAGE = InboundMessage(wire.SID, wire.RECIPIENT, wire.SENDER, "Hello", wire.NOW)
MEDIA = {f"MediaUrl{index}": f"https://api.twilio.com/{index}" for index in range(12)}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, MESSAGE),
        ({"Body": ""}, replace(MESSAGE, text="")),
        ({"OptOutType": "STOP", "Body": "Arrêt"}, replace(MESSAGE, text="Arrêt", keyword=Keyword.STOP)),
        ({"OptOutType": "START"}, replace(MESSAGE, keyword=Keyword.START)),
        ({"OptOutType": "HELP"}, replace(MESSAGE, keyword=Keyword.HELP)),
        ({"OptOutType": "MAYBE"}, MESSAGE),
        ({"Body": "STOP"}, replace(MESSAGE, text="STOP")),
        ({"OriginalRepliedMessageSid": "SM" + "7" * 32}, replace(MESSAGE, in_reply_to="SM" + "7" * 32)),
        (
            {"NumMedia": "2", "MediaUrl0": "https://a/0", "MediaUrl1": "https://a/1", "MediaContentType0": "image/png"},
            replace(MESSAGE, media_urls=("https://a/0", "https://a/1")),
        ),
        ({"NumMedia": "999999999999"}, MESSAGE),
        ({"NumMedia": "-1"}, MESSAGE),
        ({"NumMedia": "many", "MediaUrl0": "https://a/0"}, replace(MESSAGE, media_urls=("https://a/0",))),
        (MEDIA, replace(MESSAGE, media_urls=tuple(MEDIA.values())[:10])),
    ],
    ids=[
        "text",
        "no text",
        "a keyword in another language",
        "START",
        "HELP",
        "a new opt-out type",
        "the word alone is for the connector to read",
        "a reply",
        "media",
        "far too much media",
        "less than no media",
        "a count that is none",
        "at most ten",
    ],
)
def test_inbound(fields: dict[str, str], expected: InboundMessage) -> None:
    assert read_message(post(INBOUND_URL, wire.inbound_fields(**fields), "")) == expected


def test_inbound_is_dated_by_its_arrival_not_by_its_reading() -> None:
    arrived = datetime(2026, 7, 6, 11, 59, 59, tzinfo=UTC)
    assert read_message(replace(post(INBOUND_URL, INBOUND, ""), received_at=arrived)).received_at == arrived


@given(st.dictionaries(NAMES, st.text(max_size=20)) | st.binary(max_size=60))
def test_nothing_but_invalid_request_comes_of_nonsense(body: dict[str, str] | bytes) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    callback = RawCallback("POST", STATUS_URL, {"content-type": FORM}, raw, wire.NOW)
    assert not is_signed(callback, [wire.TOKEN])
    for read in (read_status, read_message):
        with pytest.raises(InvalidRequest):
            read(callback)


# --- what we answer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "replied"),
    [
        (None, None),
        ("", None),
        ("Thanks & <b>bye</b> – ça va? 👍", "Thanks & <b>bye</b> – ça va? 👍"),
        ("a\x00b\x0bc\n", "abc\n"),
    ],
)
def test_twiml(text: str | None, replied: str | None) -> None:
    root = ElementTree.fromstring(twiml_reply(text))
    assert root.tag == "Response"
    assert root.findtext("Message") == replied


@given(st.text())
def test_any_reply_is_well_formed(text: str) -> None:
    ElementTree.fromstring(twiml_reply(text))
