"""The public door: who gets in, what reaches the queue, and what is answered. It has no ledger to harm."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlencode

import flask
import pytest
from msgspec.structs import replace
from werkzeug.routing import Rule
from werkzeug.test import Client, EnvironBuilder, TestResponse

from sms_connector.api.resources.webhook import WebhookFunction
from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.callbacks.callback_event import CallbackEvent
from sms_connector.provider import Capabilities, Provider
from sms_connector.structured_log import StructuredLog
from sms_connector.transport.http import NoTransport
from tests.contract.providers.batching_double import BatchingProvider
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.memory_queue import MemoryQueue
from tests.fixtures.providers import make_twilio
from tests.providers.twilio import twilio_wire as wire

PUBLIC = "https://hooks.example.com"
MESSAGE = "msg_0bd6cf24ae5a7d9c1e0a4b7c33"
KEYS = {"webhook-key": "new key", "webhook-key-previous": "old key"}
FORM = "application/x-www-form-urlencoded"
NOW = 1_767_225_600.0
BODY_LIMIT = Capabilities().callback_bytes


def address_with(key: str, *, public: str = PUBLIC, provider: str = "twilio") -> CallbackAddress:
    return CallbackAddress(public, provider=provider, connection="sms", secrets=CannedSecrets({"webhook-key": key}))


@dataclass
class Webhook:
    """The function as the framework serves it."""

    function: WebhookFunction
    queue: MemoryQueue
    log: io.StringIO
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        app = flask.Flask("webhook")
        handle = self.function.build()
        app.url_map.add(Rule("/", defaults={"path": ""}, endpoint="run"))
        app.url_map.add(Rule("/<path:path>", endpoint="run"))
        app.view_functions["run"] = lambda path: handle(flask.request)
        self.client = app.test_client()

    def call(self, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(path, method=method, data=body, content_type=FORM, headers=named)

    def events(self) -> list[CallbackEvent]:
        return [CallbackEvent.of(payload) for payload in self.queue.payloads("/tasks/callback")]

    def logged(self, message: str) -> list[dict[str, Any]]:
        lines = map(json.loads, self.log.getvalue().splitlines())
        return [line for line in lines if line["message"] == message]


def make(
    *,
    public: str = PUBLIC,
    help_reply: str | None = None,
    provider: Provider | None = None,
) -> Webhook:
    secrets, queue, log = CannedSecrets(dict(KEYS)), MemoryQueue(), io.StringIO()
    chosen = provider or make_twilio(None, secrets, NoTransport())
    address = CallbackAddress(public, provider=chosen.name, connection="sms", secrets=secrets)
    structured = StructuredLog("sms", stream=log, now=lambda: NOW)
    function = WebhookFunction(address, chosen, queue, structured, lambda: NOW, help_reply)
    return Webhook(function, queue, log)


@pytest.fixture
def webhook() -> Webhook:
    return make()


def path_of(url: str) -> str:
    return url.removeprefix(PUBLIC)


STATUS = path_of(address_with("new key").of_message(MESSAGE))
INBOUND = path_of(address_with("new key").of_kind("inbound"))
BODY = urlencode(wire.status_fields()).encode()

# --- who gets in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param(STATUS, 204, id="the present key's"),
        pytest.param(path_of(address_with("old key").of_message(MESSAGE)), 204, id="the previous key's"),
        pytest.param(path_of(address_with("new key").of_kind("status")), 204, id="without a message"),
        pytest.param(path_of(address_with("a guess").of_message(MESSAGE)), 404, id="another key's"),
        pytest.param(STATUS.replace("/status/", "/inbound/"), 404, id="the token of the other kind"),
        pytest.param(STATUS.replace("/twilio/", "/vibes/"), 404, id="another provider"),
        pytest.param(STATUS.replace("/status/", "/status//"), 404, id="a slash too many"),
        pytest.param(STATUS.replace("?", "/?"), 404, id="a slash at the end"),
        pytest.param("/webhooks/twilio/status/" + "ä" * 24, 404, id="a token beyond ASCII"),
        pytest.param("/webhooks/twilio/status/", 404, id="no token"),
        pytest.param("/v1/messages", 404, id="the private API's"),
        pytest.param("/tasks/callback", 404, id="the queue's"),
        pytest.param("/", 404, id="nothing"),
    ],
)
def test_only_who_knows_the_token_reaches_the_queue(webhook: Webhook, path: str, status: int) -> None:
    assert webhook.call(path, BODY).status_code == status
    assert len(webhook.events()) == (status == 204)


def test_a_wrong_token_is_counted_and_told_without_content(webhook: Webhook) -> None:
    path = path_of(address_with("a guess").of_message(MESSAGE))
    webhook.call(path, BODY)
    [line] = webhook.logged("callback_rejected")
    assert (line["callback"], line["why"]) == ("status", "token")
    assert MESSAGE not in webhook.log.getvalue()
    assert path.partition("?")[0] not in webhook.log.getvalue()
    assert "5558675310" not in webhook.log.getvalue()


@pytest.mark.parametrize(
    ("size", "status"),
    [
        pytest.param(0, 204, id="nothing"),
        pytest.param(BODY_LIMIT, 204, id="just allowed"),
        pytest.param(BODY_LIMIT + 1, 413, id="a byte too many"),
        pytest.param(3_000_000, 413, id="far too many"),
    ],
)
def test_a_body_of_any_size_is_ours_to_refuse(webhook: Webhook, size: int, status: int) -> None:
    assert webhook.call(STATUS, b"x" * size).status_code == status
    assert len(webhook.queue.tasks) == (status == 204)
    assert [line["why"] for line in webhook.logged("callback_rejected")] == ["size"] * (status == 413)


def test_what_would_not_fit_into_a_task_is_refused(webhook: Webhook) -> None:
    """A body in the limit, but with headers and an address that are not."""
    answer = webhook.call(STATUS + "&x=" + "y" * 30_000, random.Random(1).randbytes(BODY_LIMIT))
    assert (answer.status_code, webhook.queue.tasks) == (413, [])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method(webhook: Webhook, method: str) -> None:
    answer = webhook.call(STATUS, b"", method)
    assert (answer.status_code, answer.headers["Allow"], webhook.queue.tasks) == (405, "POST", [])


def test_health_asks_nobody(webhook: Webhook) -> None:
    webhook.queue.out = True
    answer = webhook.client.get("/health")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


# --- what reaches the queue -------------------------------------------------------------------------------------------


def test_the_request_is_kept_as_the_provider_signed_it(webhook: Webhook) -> None:
    webhook.call(
        STATUS,
        BODY,
        X_Twilio_Signature="abc=",
        I_Twilio_Idempotency_Token="b4b3a5d0",
        X_Forwarded_Host="evil.example",
        Host="evil.example",
        Cookie="a=b",
        Authorization="Basic x",
    )
    [event] = webhook.events()
    callback = event.callback
    assert (event.kind, callback.method, callback.url) == ("status", "POST", PUBLIC + STATUS)
    assert (callback.body, callback.received_at.timestamp()) == (BODY, NOW)
    assert callback.headers == {
        "content-type": FORM,
        "x-twilio-signature": "abc=",
        "i-twilio-idempotency-token": "b4b3a5d0",
    }


@pytest.mark.parametrize(
    "query",
    ["a=%C3%A9&b=+%20", "b=2&a=1&a=1", "x=%zz", "q=ä", ""],
    ids=["escapes", "order and repetition", "no escape at all", "raw", "none"],
)
def test_the_query_is_kept_as_it_came(webhook: Webhook, query: str) -> None:
    webhook.call(f"{STATUS.partition('?')[0]}?{query}", BODY)
    [event] = webhook.events()
    kept = event.callback.url.partition("?")[2]
    assert kept == query


@pytest.mark.parametrize("body", [b"", BODY, b"\xff\xfe\x00", '{"text": "Olá 👍"}'.encode(), b'"' * 1000, b"\x00" * 9])
def test_any_body_survives_the_queue(webhook: Webhook, body: bytes) -> None:
    webhook.call(STATUS, body)
    assert [event.callback.body for event in webhook.events()] == [body]


@pytest.mark.parametrize(
    ("configured", "delivered"),
    [
        pytest.param("/sms/O%27Hara%20Ltd", "/sms/O'Hara Ltd", id="an apostrophe and a space"),
        pytest.param("/sms/Zo%C3%AB", "/sms/Zoë", id="UTF-8"),
        pytest.param("/sms/zo%c3%ab", "/sms/zoë", id="lower-case digits"),
        pytest.param("/a%2Fb", "/a/b", id="an encoded slash"),
        pytest.param("/a+b", "/a+b", id="a plus is a plus in a path"),
        pytest.param("/100%25", "/100%", id="a percent sign"),
        pytest.param("/plain", "/plain", id="nothing to decode"),
    ],
)
def test_a_percent_encoded_public_path_is_compared_decoded_and_signed_as_configured(
    configured: str, delivered: str
) -> None:
    """A WSGI server hands the path over decoded (PEP 3333); the provider signs the address it was given."""
    public = PUBLIC + configured
    webhook = make(public=public)
    url = address_with("new key", public=public).of_message(MESSAGE)
    path, _, query = url.removeprefix(public).partition("?")
    environ = EnvironBuilder(method="POST", query_string=query, data=BODY, content_type=FORM).get_environ()
    environ["PATH_INFO"] = (delivered + path).encode().decode("latin-1")
    assert webhook.client.open(environ).status_code == 204
    [event] = webhook.events()
    assert event.callback.url == url


@pytest.mark.parametrize("sent_to", ["/gateway/sms", ""], ids=["with its prefix", "without it"])
def test_a_public_address_with_a_path_of_its_own(sent_to: str) -> None:
    public = PUBLIC + "/gateway/sms"
    webhook = make(public=public)
    path = address_with("new key", public=public).of_message(MESSAGE).removeprefix(public)
    assert webhook.call(sent_to + path, BODY).status_code == 204
    [event] = webhook.events()
    assert event.callback.url == public + path


def test_what_can_not_be_kept_is_not_said_to_be(webhook: Webhook) -> None:
    webhook.queue.out = True
    answer = webhook.call(STATUS, BODY)
    assert answer.status_code == 503
    assert "5558675310" not in webhook.log.getvalue()


# --- what is answered -------------------------------------------------------------------------------------------------

HELP_REPLY = "Write to help@acme.example & <friends>"


@pytest.mark.parametrize(
    ("text", "more", "replied"),
    [
        pytest.param("HELP", {}, True, id="the word"),
        pytest.param("  help ", {}, True, id="in any case"),
        pytest.param("help me", {}, False, id="a sentence"),
        pytest.param("STOP", {}, False, id="the provider confirms STOP itself"),
        pytest.param("AIDE", {}, False, id="a word of no list"),
        pytest.param("HELP", {"OptOutType": "HELP"}, False, id="the provider has answered already"),
    ],
)
def test_help_is_answered_where_configured(text: str, more: Mapping[str, str], replied: bool) -> None:
    webhook = make(help_reply=HELP_REPLY)
    body = urlencode(wire.inbound_fields(text=text, **more)).encode()
    answer = webhook.call(INBOUND, body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    assert ("help@acme.example &amp; &lt;friends&gt;" in answer.text) is replied
    assert len(webhook.events()) == 1


def test_without_a_reply_nothing_is_said(webhook: Webhook) -> None:
    answer = webhook.call(INBOUND, urlencode(wire.inbound_fields(text="HELP")).encode())
    assert answer.text.endswith("<Response></Response>")


def test_nonsense_is_kept_and_answered_like_anything_else() -> None:
    """Whether it is the provider's is for the other side of the queue to say."""
    webhook = make(help_reply=HELP_REPLY)
    assert webhook.call(INBOUND, b"\xff").status_code == 200
    assert len(webhook.events()) == 1


def test_a_handshake_is_answered_and_is_no_news() -> None:
    secrets = CannedSecrets(dict(KEYS))
    webhook = make(provider=cast(Provider, BatchingProvider(secrets, NoTransport())))
    path = path_of(address_with("new key", provider="batching").of_kind("status"))
    answer = webhook.call(path, b'{"validationCode": "42"}')
    assert (answer.status_code, answer.json, webhook.queue.tasks) == (200, {"validationResponse": "42"}, [])
    wrong = replace(webhook.function, address=address_with("another", provider="batching"))
    assert Webhook(wrong, webhook.queue, webhook.log).call(path, b'{"validationCode": "42"}').status_code == 404
