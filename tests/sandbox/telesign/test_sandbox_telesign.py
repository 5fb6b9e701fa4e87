"""The simulated Telesign: its refusals, its lifecycle, its callbacks; the official SDK takes it for Telesign."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
import requests
from telesign.messaging import MessagingClient
from telesign.rest import RestClient
from telesign.util import verify_telesign_callback_signature

from sandbox import AdminClient, Sandbox
from sandbox.telesign.authentication import sign
from sandbox.telesign.numbers import ENDS, REFUSED_RECIPIENTS, REFUSED_SENDERS
from sandbox.telesign.service import API_KEY, CUSTOMER_ID, SENDER
from tests.sandbox.support import ROOT, Receiver

TO = "15558675310"
OTHER_KEY = "b3RoZXIga2V5"
AT_ONCE = {"beforeAnswer": 1}
GOOD = {"phone_number": TO, "message": "Hello", "message_type": "ARN"}


@pytest.fixture
def sdk(sandbox: Sandbox) -> MessagingClient:
    return MessagingClient(CUSTOMER_ID, API_KEY, rest_endpoint=sandbox.url)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Answers as Telesign expects: anything but a 200 is repeated."""
    with Receiver(answer=lambda _: (200, "")) as opened:
        yield opened


def send(sandbox: Sandbox, *, auth: Any = (CUSTOMER_ID, API_KEY), **changes: Any) -> requests.Response:
    form = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return requests.post(f"{sandbox.url}/v1/messaging", data=form, auth=auth, timeout=10)


def code_of(answer: Any) -> int:
    document = answer.json() if callable(answer.json) else answer.json
    return int(document["status"]["code"])


# --- the official SDK ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [None, "Basic"], ids=["digest", "basic"])
def test_the_sdk_sends_and_asks(sandbox: Sandbox, admin: AdminClient, method: str | None) -> None:
    sdk = MessagingClient(CUSTOMER_ID, API_KEY, rest_endpoint=sandbox.url, auth_method=method)
    sent = sdk.message(TO, "Olá & 50 % + more 👍", "ARN", external_id="order-42", sender_id=SENDER)
    assert (sent.status_code, code_of(sent), sent.json["external_id"]) == (200, 290, "order-42")
    reference_id = sent.json["reference_id"]
    seen = []
    for _ in range(4):
        seen.append(code_of(sdk.status(reference_id)))
        admin.advance(30)
    assert seen == [290, 292, 203, 203]
    assert code_of(sdk.status(reference_id)) == 200
    (message,) = admin.messages()
    assert (message["reference"], message["body"], message["to"]) == ("order-42", "Olá & 50 % + more 👍", f"+{TO}")


def test_the_sdk_accepts_a_callbacks_signature(sdk: MessagingClient, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks=AT_ONCE)
    sent = sdk.message(TO, "Hällo", "ARN", external_id="order-42", callback_url=f"{receiver.url}/status?x=1")
    (got,) = receiver.received
    for header in ("Authorization", "X-TS-Authorization"):
        scheme, _, value = got.headers[header].partition(" ")
        customer, _, signature = value.partition(":")
        assert (scheme, customer) == ("TSA", CUSTOMER_ID)
        assert verify_telesign_callback_signature(API_KEY, signature, got.body.decode())
        assert not verify_telesign_callback_signature(OTHER_KEY, signature, got.body.decode())
    report = json.loads(got.body)
    assert got.path == "/status?x=1"
    assert got.headers["Content-Type"] == "application/json"
    assert report["reference_id"] == sent.json["reference_id"]
    assert (report["status"]["code"], report["external_id"], report["sub_resource"]) == (200, "order-42", "sms")


def test_the_signature_of_the_documents_example() -> None:
    body = (
        b'{"reference_id":"0123456789ABCDEF0123456789ABCDEF","sub_resource":"sms","status":{"code":200,"description":'
        b'"Delivered to handset","updated_on":"2026-07-06T12:00:05.000000Z"},"submit_timestamp":'
        b'"2026-07-06T12:00:00.000000Z","errors":[],"external_id":"order-42"}'
    )
    assert sign(API_KEY, body) == "6nQRGCvp75vKs5nAgnwwJaXlB3AeOq/aJ92x0EfALm4="


# --- who may --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        (None, 10009),
        ((CUSTOMER_ID, OTHER_KEY), 10022),
        (("another", API_KEY), 10015),
    ],
    ids=["none", "key", "customer"],
)
def test_basic_credentials(sandbox: Sandbox, auth: Any, code: int) -> None:
    answer = send(sandbox, auth=auth)
    assert (answer.status_code, code_of(answer)) == (401, code)


def signed(sandbox: Sandbox, **changes: str) -> requests.Response:
    """Send with the SDK's own headers, some changed afterwards (`None` leaves one out) or before (`date`, `nonce`, `key`)."""
    before = {name: changes.pop(name) for name in ("date_rfc2616", "nonce", "api_key") if name in changes}
    body = "phone_number=15558675310&message=Hello&message_type=ARN"
    arguments = {"api_key": API_KEY, "nonce": f"nonce-{time.monotonic_ns()}"} | before
    key = arguments.pop("api_key")
    headers = RestClient.generate_telesign_headers(CUSTOMER_ID, key, "POST", "/v1/messaging", body, **arguments)
    headers |= changes
    return requests.post(
        f"{sandbox.url}/v1/messaging",
        data=body,
        headers={name: value for name, value in headers.items() if value is not None},
        timeout=10,
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"api_key": OTHER_KEY}, 10008),
        ({"Date": formatdate(time.time() - 60, usegmt=True)}, 10008),
        ({"date_rfc2616": formatdate(time.time() - 3600, usegmt=True)}, 10004),
        ({"date_rfc2616": formatdate(time.time() + 3600, usegmt=True)}, 10004),
        ({"date_rfc2616": "yesterday"}, 10005),
        ({"Date": None}, 10007),
        ({"x-ts-auth-method": "HMAC-MD5"}, 10006),
        ({"nonce": "n"}, 10003),
        ({"Authorization": "TSA nothing"}, 10028),
        ({"Authorization": "Bearer x"}, 10028),
        ({"Authorization": "TSA another:c2ln"}, 10015),
    ],
)
def test_a_digest_is_checked(sandbox: Sandbox, admin: AdminClient, changes: dict[str, Any], code: int) -> None:
    answer = signed(sandbox, **changes)
    assert (answer.status_code, code_of(answer)) == (401, code)
    assert ("signature_string" in answer.json()) == (code == 10008)
    assert admin.messages() == []


def test_a_nonce_is_good_once(sandbox: Sandbox) -> None:
    assert code_of(signed(sandbox, nonce="once-and-never-again")) == 290
    assert code_of(signed(sandbox, nonce="once-and-never-again")) == 10002
    assert code_of(signed(sandbox, nonce="another-one")) == 290


def test_keys_overlap_and_the_first_signs(sandbox: Sandbox, admin: AdminClient, receiver: Receiver) -> None:
    admin.post("telesign/account", {"apiKeys": [OTHER_KEY, API_KEY], "statusUrl": receiver.url})
    admin.settings(callbacks=AT_ONCE)
    assert [code_of(send(sandbox, auth=(CUSTOMER_ID, key))) for key in (API_KEY, OTHER_KEY)] == [290, 290]
    signatures = [got.headers["X-TS-Authorization"].partition(":")[2] for got in receiver.received]
    assert signatures == [sign(OTHER_KEY, got.body) for got in receiver.received]
    admin.post("telesign/account", {"apiKeys": [OTHER_KEY]})
    assert code_of(send(sandbox)) == 10022


# --- what is refused, and what fails later --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"phone_number": None}, 400, 12000),
        ({"message": ""}, 400, 12009),
        ({"message_type": None}, 400, 12017),
        ({"phone_number": "+15558675310"}, 400, 11000),
        ({"phone_number": "123"}, 400, 11000),
        ({"phone_number": "01555867531"}, 400, 11001),
        ({"message": "x" * 1601}, 400, 11009),
        ({"message_type": "SMS"}, 400, 11017),
        ({"account_lifecycle_event": "other"}, 400, 11003),
        ({"callback_url": ""}, 400, 11004),
        ({"originating_ip": "here"}, 400, 11010),
        ({"sender_id": "x" * 21}, 400, 11013),
        ({"sender_id": "15005550007"}, 400, 11013),
        ({"sender_id": "15559999999"}, 400, 11013),
        ({"external_id": "x" * 101}, 400, 11016),
        ({"external_id": "é"}, 400, 11016),
        ({"dlt_template_id": "x" * 41}, 400, 11034),
        ({"phone_number": "15005550001"}, 400, 11000),
        ({"phone_number": "15005550033"}, 401, 10033),
    ],
)
def test_a_refusal(sandbox: Sandbox, admin: AdminClient, changes: dict[str, Any], status: int, code: int) -> None:
    answer = send(sandbox, **changes)
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert admin.messages() == []


def test_an_account_can_be_refused_as_a_whole(sandbox: Sandbox, admin: AdminClient) -> None:
    admin.post("telesign/account", {"refusal": 10030})
    answer = send(sandbox, external_id="a")
    assert (answer.status_code, code_of(answer), answer.json()["external_id"]) == (402, 10030, "a")


@pytest.mark.parametrize(
    ("to", "code"),
    [("15005530510", 510), ("15005530221", 221), ("15005530007", 220), ("15005550004", 510), ("15005510031", 10031)],
)
def test_a_number_chooses_its_end(sandbox: Sandbox, admin: AdminClient, receiver: Receiver, to: str, code: int) -> None:
    admin.settings(callbacks=AT_ONCE)
    answer = send(sandbox, phone_number=to, callback_url=receiver.url)
    assert code_of(answer) == 290
    (got,) = receiver.received
    assert json.loads(got.body)["status"]["code"] == code


def test_the_status_of_an_id_that_is_none(sandbox: Sandbox, sdk: MessagingClient, admin: AdminClient) -> None:
    unknown = sdk.status("0" * 32)
    assert (unknown.status_code, code_of(unknown)) == (404, 10017)
    assert code_of(sdk.status("x")) == 11011
    reference_id = send(sandbox).json()["reference_id"]
    admin.advance(31 * 86_400)
    assert code_of(sdk.status(reference_id)) == 10036


def test_the_providers_own_errors_under_load(sandbox: Sandbox, admin: AdminClient) -> None:
    admin.fault("429", count=1, seconds=2, path="/v1/messaging")
    busy = send(sandbox)
    assert (busy.status_code, code_of(busy), busy.headers["Retry-After"]) == (429, 10019, "2")
    admin.fault("500_before_accept", count=1, path="/v1/messaging")
    assert (send(sandbox).status_code, admin.messages()) == (500, [])


# --- callbacks and inbound ------------------------------------------------------------------------------------------


def test_every_status_is_called_back_where_wanted(sandbox: Sandbox, admin: AdminClient, receiver: Receiver) -> None:
    admin.settings(callbacks={"statuses": ["203", "200"]}, deliverySeconds=0.05)
    send(sandbox, callback_url=receiver.url)
    assert [json.loads(got.body)["status"]["code"] for got in receiver.wait_for(2)] == [203, 200]


def test_a_callback_is_tried_four_times(sandbox: Sandbox, admin: AdminClient, receiver: Receiver) -> None:
    receiver.answer = lambda _: (204, "")  # only a 200 counts
    admin.settings(callbacks=AT_ONCE)
    send(sandbox, callback_url=receiver.url)
    assert [attempt["attempt"] for attempt in admin.callbacks()] == [1, 2, 3, 4]


@pytest.mark.parametrize(("handled", "action"), [(True, "stop"), (False, None)])
def test_stop_and_start(sandbox: Sandbox, admin: AdminClient, receiver: Receiver, handled: bool, action: Any) -> None:
    admin.post("telesign/account", {"inboundUrl": receiver.url, "keywordHandling": handled})
    answer = admin.inbound(provider="telesign", from_=f"+{TO}", to=f"+{SENDER}", body=" Arrêt ")
    assert (answer["webhook"], answer["replies"]) == ({"status": 200, "error": None}, [])
    response = json.loads(receiver.received[0].body)["user_response"]
    assert (response["phone_number"], response["sender_id"], response["mo_message"]) == (TO, SENDER, " Arrêt ")
    assert response.get("action") == action
    admin.settings(deliverySeconds=0)
    send(sandbox, sender_id=SENDER)
    assert admin.messages()[-1]["status"] == ("510" if handled else "200")
    admin.inbound(provider="telesign", from_=TO, to=SENDER, body="START")
    send(sandbox, sender_id=SENDER)
    assert admin.messages()[-1]["status"] == "200"


README = (ROOT / "sandbox" / "telesign" / "README.md").read_text()


@pytest.mark.parametrize("value", sorted({CUSTOMER_ID, API_KEY, SENDER, *REFUSED_RECIPIENTS, *REFUSED_SENDERS}))
def test_the_readme_names_what_is_there(value: str) -> None:
    assert value in README


def test_the_readme_names_the_numbers_that_fail_late() -> None:
    families = {"15005530", "150055"}
    assert [to for to in ENDS if to not in README and not any(to.startswith(each) for each in families)] == []
