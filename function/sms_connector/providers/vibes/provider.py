"""Vibes Connect: bundles of a hundred recipients, status by receipts, no idempotency.

`wire` writes requests and reads answers, `webhooks` receipts and inbound messages, `statuses` the meaning of a code,
`xml_reader` refuses what XML from strangers must not have.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote

from sms_connector.errors import NotSent
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.phone_number import SenderKind
from sms_connector.provider import Capabilities, Option, RawCallback, SendOutcome
from sms_connector.providers.common import (
    WEBHOOK_SECRETS,
    HttpProvider,
    accepts_webhook_basic,
    basic,
    not_from_provider,
    query_error,
    required,
    webhook_basic_problems,
)
from sms_connector.providers.vibes import webhooks, wire
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane

# These are names, not values.
USERNAME, PASSWORD = "username", "password"
MESSAGES, BUNDLES = "/MessageApi/mt/messages", "/MessageApi/mt/messageBundles"
_XML = {"content-type": "text/xml; charset=utf-8", "accept": "text/xml"}
_QUERY = {"accept": "text/xml"}

CAPABILITIES = Capabilities(
    recipients_per_call=100,  # "A maximum of 100 destinations is supported"
    reports_by_id=1,
    reports_sparingly=True,
    status_callbacks=True,
    callback_per_message=True,
    inbound=True,
    text_limit=900,  # https://developer-aggregation.vibes.com/reference/send-an-sms-message (splitLongMessage)
    sender_kinds=frozenset({SenderKind.SHORT_CODE, SenderKind.LONG_CODE}),
)


class VibesProvider(HttpProvider):
    """`carrierReceipts`: whether a carrier's receipt counts as `sent`; without, a message stays `queued` until a
    handset's receipt or an error."""

    name = "vibes"
    callback_places: ClassVar[Mapping[str, str]] = {
        "status": "nowhere: each message names it",
        "inbound": "Vibes' account manager enters it for the short code, with the Basic credentials",
    }
    default_url = "https://messageapi.vibesapps.com"
    capabilities = CAPABILITIES
    # Vibes leaves STOP and HELP to the customer, as the CTIA requires them; it documents no list of its own.
    consent_words = STANDARD_WORDS
    secret_names = (USERNAME, PASSWORD, *WEBHOOK_SECRETS)
    callback_headers = webhooks.HEADERS
    steps_by_hand = (
        "have your account manager set a new password",
        "have your account manager end the old one, where both were good",
    )
    options: ClassVar[Mapping[str, Option]] = {"carrierReceipts": Option(values=("true", "false"), default="true")}

    def problems(self, *, callbacks: bool = False) -> list[str]:
        return super().problems(callbacks=callbacks) + webhook_basic_problems(self._secrets)

    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        """Send those whose text can be XML; one of several goes as a bundle."""
        unsendable = {message.id: why for message in messages if (why := wire.find_unsendable(message)) is not None}
        sendable = [message for message in messages if message.id not in unsendable]
        sent = iter(self._send(sendable, before_attempt) if sendable else ())
        return [unsendable.get(message.id) or next(sent) for message in messages]

    def fetch_reports(self, provider_message_ids: Sequence[str]) -> Sequence[DeliveryReport]:
        (message_id,) = provider_message_ids
        response = self._get(f"/{quote(message_id, safe='')}/responses")
        if response.status == 404:
            return []
        report = webhooks.read_receipts(response.body, message_id, carrier_receipts=self._carrier_receipts)
        if report is None:
            raise NotSent(f"Vibes answered {response.status} with no list of receipts")
        return [report]

    def verify_callback(self, callback: RawCallback) -> bool:
        """Receipts come without any authentication: the token in the address has been checked, and is all there is."""
        return not webhooks.is_inbound(callback) or accepts_webhook_basic(self._secrets, callback)

    def read_status_callback(self, callback: RawCallback) -> Sequence[DeliveryReport]:
        return [webhooks.read_receipt(callback, carrier_receipts=self._carrier_receipts)]

    def read_inbound(self, callback: RawCallback) -> Sequence[InboundMessage]:
        return [webhooks.read_message(callback)]

    def _needed_secrets(self) -> Sequence[str]:
        return (USERNAME, PASSWORD)

    @property
    def _carrier_receipts(self) -> bool:
        return self._option("carrierReceipts") != "false"

    def _check(self) -> ConnectionStatus:
        """Ask for a message that can't be: Vibes has no call that does nothing."""
        response = self._get(f"/{uuid.uuid4()}")
        if response.status != 404:
            said = f"Vibes answered {response.status} to a question about a message that can't be"
            raise NotSent(f"{said}; set the provider URL to the API itself")
        return ConnectionStatus(ConnectionState.ACTIVE, "Vibes accepts the credentials")

    def _send(self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None) -> Sequence[SendOutcome]:
        path, headers = MESSAGES, _XML
        if len(messages) > 1:
            path, headers = BUNDLES, {**_XML, "x-vibesapi-bundleid": messages[0].id}
        body = wire.send_body(messages)

        def make_request() -> HttpRequest:
            url, authorization = f"{self._base_url}{path}", self._authorization()
            return HttpRequest("POST", url, headers, body, authorization, Lane.SEND, before_attempt=before_attempt)

        response = self._exchange(make_request)
        if 200 <= response.status < 300:
            return wire.read_outcomes(response, messages)
        if response.status == 401:
            return [wire.unauthorized()] * len(messages)
        raise not_from_provider("Vibes", response, repeatable=False)

    def _get(self, path: str) -> HttpResponse:
        """Return a 2xx or a 404. Raises ProviderRefused for refused credentials, NotSent for what is not Vibes'."""
        url = f"{self._base_url}{MESSAGES}{path}"
        response = self._exchange(
            lambda: HttpRequest("GET", url, _QUERY, authorization=self._authorization(), repeatable=True)
        )
        if response.status == 401:
            raise query_error("Vibes", response, wire.unauthorized())
        if response.status != 404 and not 200 <= response.status < 300:
            raise not_from_provider("Vibes", response, repeatable=True)
        return response

    def _authorization(self) -> str:
        return basic(required(self._secrets, USERNAME), required(self._secrets, PASSWORD))
