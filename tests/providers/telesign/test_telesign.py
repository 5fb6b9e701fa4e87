"""What Telesign alone has: the digest, two addresses in one, codes with two meanings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from msgspec.structs import replace
from telesign.rest import RestClient

from sms_connector.errors import ErrorKind, NotSent, RetrySafety
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.consent_words import classify
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.inbound_message import Keyword
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import ProviderSettings, SendReceipt
from sms_connector.providers.telesign.provider import TelesignProvider
from sms_connector.providers.telesign.statuses import CODES, STATUSES, to_status
from sms_connector.providers.telesign.wire import read_provider_error
from sms_connector.transport.http import HttpRequest, Verdict
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport
from tests.fixtures.clocks import FakeClock
from tests.providers.telesign import telesign_wire as wire

MESSAGE = OutboundMessage(
    "msg_1", "+15558675310", "+15551234567", "Olá & 50 % + 👍", callback_url="https://hooks.example.com/s?m=msg_1&d=0"
)
URL = "https://hooks.example.com/webhooks/telesign/status/token"
AT = 1_783_339_200.0  # Mon, 06 Jul 2026 12:00:00 GMT


def sent(*answers: Answer, message: OutboundMessage = MESSAGE, **options: str) -> tuple[object, list[HttpRequest]]:
    transport = CannedTransport(*answers)
    provider = wire.make(CannedSecrets(dict(wire.SECRETS)), transport, clock=FakeClock(AT), **options)
    (outcome,) = provider.send([message])
    return outcome, transport.requests


TAKEN = wire.answer(200, wire.envelope(1, external_id="msg_1"))


# --- the request ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "options", "fields"),
    [
        (MESSAGE, {}, {"message_type": "ARN", "phone_number": "15558675310", "sender_id": "15551234567"}),
        (MESSAGE, {"messageType": "MKT"}, {"message_type": "MKT"}),
        (replace(MESSAGE, sender="Acme"), {}, {"sender_id": "Acme"}),
        (replace(MESSAGE, sender="12345"), {}, {"sender_id": "12345"}),
        (replace(MESSAGE, callback_url=None), {}, {"callback_url": None}),
    ],
)
def test_the_form(message: OutboundMessage, options: dict[str, str], fields: Mapping[str, str | None]) -> None:
    _, (request,) = sent(TAKEN, message=message, **options)
    form = dict(parse_qsl((request.body or b"").decode(), keep_blank_values=True))
    usual = {"message": MESSAGE.text, "external_id": "msg_1", "callback_url": MESSAGE.callback_url}
    assert {name: form.get(name) for name in usual | fields} == usual | fields


def test_the_digest_is_the_official_sdks() -> None:
    _, (request,) = sent(TAKEN)
    theirs = RestClient.generate_telesign_headers(
        wire.CUSTOMER_ID,
        wire.API_KEY,
        "POST",
        "/v1/messaging",
        (request.body or b"").decode(),
        date_rfc2616="Mon, 06 Jul 2026 12:00:00 GMT",
        nonce=request.headers["x-ts-nonce"],
    )
    ours = {**request.headers, "Authorization": request.authorization}
    assert {name: ours[name] for name in theirs} == theirs


def test_the_digest_of_a_query_has_no_content_type() -> None:
    transport = CannedTransport(wire.answer(200, wire.envelope()))
    provider = wire.make(
        CannedSecrets(dict(wire.SECRETS)), transport, clock=FakeClock(AT), base_url="https://x.example/"
    )
    provider.fetch_reports([wire.reference_id(1)])
    (request,) = transport.requests
    path = f"/v1/messaging/{wire.reference_id(1)}"
    theirs = RestClient.generate_telesign_headers(
        *(wire.CUSTOMER_ID, wire.API_KEY, "GET", path, ""),
        date_rfc2616=request.headers["Date"],
        nonce=request.headers["x-ts-nonce"],
    )
    assert request.url == f"https://x.example{path}"
    assert "Content-Type" not in request.headers
    assert request.authorization == theirs["Authorization"]


def test_basic_is_an_option() -> None:
    _, (request,) = sent(TAKEN, authentication="basic")
    assert (request.authorization or "").startswith("Basic RkZGRkZGRkYtRUVFRS1ERERELTEyMzQtQUIxMjM0NTY3ODkwOkFCQz")
    assert "x-ts-nonce" not in request.headers


def test_each_attempt_has_a_nonce_of_its_own() -> None:
    _, (request,) = sent(TAKEN)
    assert request.renew
    again = request.renew()
    assert (again.body, again.url) == (request.body, request.url)
    assert again.headers["x-ts-nonce"] != request.headers["x-ts-nonce"]
    assert again.authorization != request.authorization


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"messageType": "OTP", "authentication": "basic"}, None),
        ({"messageType": "SMS"}, "messageType: 'SMS' is not one of ARN, OTP, MKT"),
        ({"authentication": "oauth"}, "authentication: 'oauth' is not one of digest, basic"),
        ({"region": "eu"}, "'region' is no option of telesign"),
    ],
)
def test_the_options(options: dict[str, str], problem: str | None) -> None:
    told = "\n".join(TelesignProvider.setting_problems(ProviderSettings(options=options)))
    assert (problem or "") in told
    assert bool(told) == bool(problem)


@pytest.mark.parametrize("value", ["not*base64", "é", "abc"])
def test_a_key_that_is_none_is_named_without_its_value(value: str) -> None:
    provider = wire.make(CannedSecrets({**wire.SECRETS, "api-key": value}), CannedTransport(TAKEN))
    (problem,) = provider.problems()
    assert "secret 'api-key' is not base64 (looked at /secrets/api-key)" in problem
    assert value not in problem.replace("base64", "")
    with pytest.raises(NotSent, match="is not base64"):
        provider.send([MESSAGE])


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "text", "kind", "retry"),
    [
        (400, 11000, "Invalid value", ErrorKind.INVALID_RECIPIENT, RetrySafety.NEVER),
        (400, 11013, "Invalid value", ErrorKind.INVALID_SENDER, RetrySafety.NEVER),
        (401, 10033, "+1 has not been verified", ErrorKind.NOT_PERMITTED, RetrySafety.NEVER),
        (401, 10031, "Not Allowed Host", ErrorKind.AUTHENTICATION, RetrySafety.SAFE),
        (400, 10031, "Message blocked by customer request", ErrorKind.OPTED_OUT, RetrySafety.NEVER),
        (402, 10030, "Insufficient funds", ErrorKind.ACCOUNT, RetrySafety.SAFE),
        (429, 10019, "Rate Limit Exceeded", ErrorKind.RATE_LIMITED, RetrySafety.SAFE),
        (429, 10020, "hard cap", ErrorKind.ACCOUNT, RetrySafety.SAFE),
        (401, 19999, "new", ErrorKind.AUTHENTICATION, RetrySafety.SAFE),
        (400, 19999, "new", ErrorKind.OTHER, RetrySafety.NEVER),
    ],
)
def test_a_refusal(status: int, code: int, text: str, kind: ErrorKind, retry: RetrySafety) -> None:
    outcome, _ = sent(wire.error(status, code, text))
    assert isinstance(outcome, FailureReason)
    assert (outcome.code, outcome.message, outcome.kind, outcome.retry) == (code, text, kind, retry)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (wire.error(429, 10019, ""), Verdict.LATER),
        (wire.error(429, 10020, ""), Verdict.FINAL),
        (wire.error(429, 19999, ""), None),
        (wire.html(429), None),
        (wire.error(500, 10000, ""), None),
        (wire.error(503, 10000, ""), None),
    ],
)
def test_what_its_own_error_means_for_a_repetition(answer: object, verdict: Verdict | None) -> None:
    assert read_provider_error(answer) is verdict  # type: ignore[arg-type]  # rows of one type


def test_a_message_that_is_blocked_at_once_was_taken_all_the_same() -> None:
    outcome, _ = sent(wire.answer(200, wire.envelope(1, 510, "Message blocked by subscriber action or request")))
    assert isinstance(outcome, SendReceipt)
    assert (outcome.status, outcome.failure and outcome.failure.is_opt_out) == (MessageStatus.UNDELIVERED, True)


def test_every_failure_has_a_kind() -> None:
    failed = {int(code) for code in STATUSES if to_status(code) in (MessageStatus.UNDELIVERED, MessageStatus.FAILED)}
    assert failed - CODES.keys() == set()


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        (wire.error(404, 10017, "not found"), ConnectionState.ACTIVE, "accepts"),
        (wire.error(404, 10036, "expired"), ConnectionState.ACTIVE, "accepts"),
        (wire.error(401, 10008, "Invalid Signature."), ConnectionState.AUTH_ERROR, "customer-id, api-key"),
        (wire.error(401, 10035, "host"), ConnectionState.AUTH_ERROR, "10035"),
        (wire.error(401, 10010, "Suspended"), ConnectionState.ERROR, "10010"),
    ],
)
def test_the_connection_test(answer: Answer, state: ConnectionState, told: str) -> None:
    provider = wire.make(CannedSecrets(dict(wire.SECRETS)), CannedTransport(answer))
    status = provider.check_connection()
    assert status.state is state
    assert told in status.description


# --- callbacks ------------------------------------------------------------------------------------------------------


def provider_with(**secrets: str) -> TelesignProvider:
    built = wire.make(CannedSecrets(wire.SECRETS | secrets), CannedTransport(TAKEN))
    assert isinstance(built, TelesignProvider)
    return built


def test_the_signature_of_the_documents_example() -> None:
    body = (
        b'{"reference_id":"0123456789ABCDEF0123456789ABCDEF","sub_resource":"sms","status":{"code":200,"description":'
        b'"Delivered to handset","updated_on":"2026-07-06T12:00:05.000000Z"},"submit_timestamp":'
        b'"2026-07-06T12:00:00.000000Z","errors":[],"external_id":"order-42"}'
    )
    signature = "6nQRGCvp75vKs5nAgnwwJaXlB3AeOq/aJ92x0EfALm4="
    genuine = replace(wire.callback(URL, {}), body=body)
    for header in ("Authorization", "x-ts-authorization"):
        for value in (signature, f"TSA {wire.CUSTOMER_ID}:{signature}", f"TSA {signature}"):
            assert provider_with().verify_callback(replace(genuine, headers={header: value})), (header, value)
    (report,) = provider_with().read_status_callback(genuine)
    # Another application of the account sends too: its references are none of ours.
    assert (report.status, report.message_id) == (MessageStatus.DELIVERED, None)


def test_the_key_before_is_accepted_while_a_rotation_overlaps() -> None:
    signed = wire.callback(URL, wire.report(wire.reference_id(1), 200))
    assert provider_with(**{"api-key": wire.NEW_KEY, "api-key-previous": wire.API_KEY}).verify_callback(signed)
    assert not provider_with(**{"api-key": wire.NEW_KEY}).verify_callback(signed)


@pytest.mark.parametrize("nothing", ["not*base64", "é", "YW55dGhpbmc=", "="])
def test_what_is_no_key_before_changes_nothing(nothing: str) -> None:
    """A deployment gives that secret a random value, until the first rotation."""
    provider = provider_with(**{"api-key-previous": nothing})
    signed = wire.callback(URL, wire.report(wire.reference_id(1), 200))
    assert provider.problems(callbacks=True) == []
    assert provider.verify_callback(signed)
    unsigned = replace(signed, headers={"X-TS-Authorization": wire.signature(signed.body, "")})
    assert not provider.verify_callback(unsigned)


def test_a_report_names_our_message_and_its_parts() -> None:
    document = wire.report(wire.reference_id(1), 200, additional_info={"message_parts_count": 3, "mcc": "310"})
    (report,) = provider_with().read_status_callback(wire.callback(URL, document))
    assert (report.message_id, report.segments) == ("msg_1", 3)
    assert report.updated_at
    assert report.updated_at.isoformat() == "2026-07-06T12:00:05+00:00"


@pytest.mark.parametrize("external_id", [None, 7, "", "order-42", "msg_" + "x" * 999, "msg_1/../x", ["msg_1"]])
def test_a_reference_that_is_not_ours_is_left_out(external_id: object) -> None:
    document = wire.report(wire.reference_id(1), 200, external_id=external_id)
    (report,) = provider_with().read_status_callback(wire.callback(URL, document))
    assert report.message_id is None


@pytest.mark.parametrize("addressed", ["status", "inbound"])
def test_one_address_may_serve_for_both(addressed: str) -> None:
    provider = provider_with()
    report = wire.callback(URL, wire.report(wire.reference_id(1), 200))
    message = wire.callback(URL, wire.inbound("+15558675310", "Hi"))
    kinds = [provider.callback_kind(each, addressed) for each in (report, message)]  # type: ignore[arg-type]
    assert kinds == ["status", "inbound"]
    assert provider.callback_kind(replace(report, body=b"\xff"), addressed) == addressed  # type: ignore[arg-type]


def test_a_status_callback_is_answered_with_a_200() -> None:
    assert provider_with().answer_status().status == 200


@pytest.mark.parametrize(
    ("response", "keyword"),
    [
        ({"action": "stop", "keyword": "arret"}, Keyword.STOP),
        ({"action": "START"}, Keyword.START),
        ({"action": "help"}, Keyword.HELP),
        ({"action": "generic"}, None),
        ({"action": ""}, None),
        ({}, None),
    ],
)
def test_telesigns_own_reading_of_a_text(response: dict[str, str], keyword: Keyword | None) -> None:
    (message,) = provider_with().read_inbound(wire.callback(URL, wire.inbound("+15558675310", "x", **response)))
    assert (message.keyword, message.to) == (keyword, "+15551234567")


# developer.telesign.com/enterprise/docs/inbound-sms-action-to-keyword-mapping, but for two HELP words.
WORDS = {
    Keyword.STOP: ("arrêt", "arret", "cancel", "end", "quit", "stop", "unsubscribe"),
    Keyword.START: ("start",),
    Keyword.HELP: ("help", "info"),
}


@pytest.mark.parametrize(("keyword", "word"), [(keyword, word) for keyword, words in WORDS.items() for word in words])
def test_telesigns_words_are_understood_without_its_reading(keyword: Keyword, word: str) -> None:
    assert classify(word, TelesignProvider.consent_words) is keyword


# --- the page people read -------------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[3] / "docs" / "providers" / "telesign.md").read_text()


def test_the_page_has_every_status() -> None:
    rows = {
        code: status
        for codes, status in (line.split("|")[1:3] for line in PAGE.splitlines() if line.startswith("| `"))
        for code in codes.replace("`", "").replace(",", " ").split()
        if code in STATUSES
    }
    assert {code: status.strip(" `") for code, status in rows.items()} == {
        code: str(status) for code, status in STATUSES.items()
    }


@pytest.mark.parametrize("name", [*TelesignProvider.secret_names, *TelesignProvider.options])
def test_the_page_has_every_name(name: str) -> None:
    assert f"`{name}`" in PAGE
