"""A custom channel: bring your own provider. Our id is the message's at both ends, and its key: a repeat is safe.

`wire` reads both directions, `statuses` the meaning of a word. What it can depends on the options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote
from uuid import uuid4

from msgspec.structs import replace

from sms_connector.errors import NotSent
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.phone_number import SenderKind
from sms_connector.model.standard_webhooks import is_signed
from sms_connector.ports import Clock, SecretSource
from sms_connector.provider import Capabilities, Option, ProviderSettings, RawCallback, SendOutcome
from sms_connector.providers.common import HttpProvider
from sms_connector.providers.custom import credentials, wire
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane, Transport

_JSON = {"Content-Type": "application/json", "Accept": "application/json"}
_QUERY = {"Accept": "application/json"}
_FLAG = ("true", "false")


class CustomProvider(HttpProvider):
    """SMS_PROVIDER_URL is the endpoint itself: messages are posted to it, and the connection test gets it."""

    name = "custom"
    callback_places: ClassVar[Mapping[str, str]] = {
        "status": "your own endpoint posts its reports there, signed",
        "inbound": "your own endpoint posts inbound messages there, signed",
    }
    capabilities = Capabilities(
        idempotent_send=True,
        ids_are_ours=True,
        status_callbacks=True,
        callback_bytes=256 * 1024,  # signed as a whole, so it can't be spread; compressed, a task holds it
        inbound=True,
        sender_kinds=frozenset(
            {SenderKind.LONG_CODE, SenderKind.TOLL_FREE, SenderKind.SHORT_CODE, SenderKind.ALPHANUMERIC}
        ),
    )
    options: ClassVar[Mapping[str, Option]] = {
        "statusUrl": Option(form=r"https?://[!-+.-~-]{1,500}", described="an absolute https:// address"),
        "recipientsPerCall": Option(
            form=r"[1-9][0-9]{0,2}|1000", described="a whole number from 1 to 1000", default="1"
        ),
        "textLimit": Option(form=r"[1-9][0-9]{0,3}", described="a whole number from 1 to 9999", default="1600"),
        "supportsStatus": Option(values=_FLAG, default="true"),
        "supportsInbound": Option(values=_FLAG, default="true"),
    }
    consent_words = STANDARD_WORDS
    secret_names = credentials.SECRET_NAMES
    callback_headers = ("webhook-",)
    steps_by_hand = (
        "make one (whsec_ and the base64 of 32 random bytes) and let your endpoint accept it beside the old one",
        "take the old one out of your endpoint",
    )

    def __init__(
        self, settings: ProviderSettings, *, secrets: SecretSource, transport: Transport, clock: Clock
    ) -> None:
        super().__init__(settings, secrets=secrets, transport=transport, clock=clock)
        self._url = settings.base_url or ""  # as it was written: a slash at its end may matter
        self._status_url = (self._option("statusUrl") or "").rstrip("/")
        most = int(self._option("recipientsPerCall") or 1)
        self._together = most > 1
        self.capabilities = replace(
            type(self).capabilities,
            recipients_per_call=most,
            reports_by_id=1 if self._status_url else 0,
            status_callbacks=self._option("supportsStatus") == "true",
            inbound=self._option("supportsInbound") == "true",
            text_limit=int(self._option("textLimit") or 0),
        )

    @classmethod
    def setting_problems(cls, settings: ProviderSettings) -> list[str]:
        problems = super().setting_problems(settings)
        url, status_url = settings.base_url or "", settings.options.get("statusUrl", "")
        if url.startswith("https:") and status_url.startswith("http:"):
            problems.append("SMS_PROVIDER_OPTIONS (environment): statusUrl: write https://, as in SMS_PROVIDER_URL")
        return problems

    def problems(self, *, callbacks: bool = False) -> list[str]:
        return super().problems(callbacks=callbacks) + credentials.problems(self._secrets)

    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        body = wire.send_body(messages, self._settings.connection, together=self._together)
        request = HttpRequest(
            "POST", self._url, _JSON, body, lane=Lane.SEND, repeatable=True, before_attempt=before_attempt
        )
        response = self._signed(request, wire.call_id(messages))
        return wire.read_outcomes(response, messages, together=self._together)

    def fetch_reports(self, provider_message_ids: Sequence[str]) -> Sequence[DeliveryReport]:
        if not self._status_url:
            return super().fetch_reports(provider_message_ids)
        (message_id,) = provider_message_ids
        result = wire.read_query(self._get(f"{self._status_url}/{quote(message_id, safe='')}"))
        return [] if result is None else [wire.read_report(result, message_id)]

    def verify_callback(self, callback: RawCallback) -> bool:
        headers = {name.lower(): value for name, value in callback.headers.items()}
        keys, at = credentials.keys(self._secrets), callback.received_at.timestamp()
        return is_signed(headers, callback.body, keys=keys, at=at)

    def read_status_callback(self, callback: RawCallback) -> Sequence[DeliveryReport]:
        return wire.read_reports(callback)

    def read_inbound(self, callback: RawCallback) -> Sequence[InboundMessage]:
        return [wire.read_inbound(callback)]

    def _needed_secrets(self) -> Sequence[str]:
        """The endpoint decides whether it wants a key: one that is there is sent."""
        key = [credentials.API_KEY] if self._secrets.get(credentials.API_KEY) else []
        return [*credentials.NEEDED, *key]

    def _check(self) -> ConnectionStatus:
        """Get the endpoint: it answers a signed request with a 2xx."""
        response = self._get(self._url)
        wire.raise_unless_2xx(response)
        if response.headers.get("content-type", "").startswith("text/html"):
            raise NotSent("the endpoint answered with a page; set SMS_PROVIDER_URL to the channel's own address")
        return ConnectionStatus(ConnectionState.ACTIVE, "the channel accepts our signature")

    def _get(self, url: str) -> HttpResponse:
        return self._signed(HttpRequest("GET", url, _QUERY, repeatable=True), f"get_{uuid4().hex}")

    def _signed(self, request: HttpRequest, id_: str) -> HttpResponse:
        """Make a call whose every attempt is signed with its own time."""
        return self._exchange(lambda: credentials.signed(request, id_, self._secrets, at=self._clock.time()))
