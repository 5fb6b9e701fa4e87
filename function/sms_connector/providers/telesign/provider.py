"""Telesign: one recipient a call, status by id, no list and no idempotency; a report carries our id (`external_id`).

`wire` reads answers, `webhooks` callbacks, `statuses` the meaning of a code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sms_connector.errors import ProviderRefused
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.phone_number import SenderKind
from sms_connector.provider import CallbackAnswer, CallbackKind, Capabilities, Option, RawCallback, SendOutcome
from sms_connector.providers.common import HttpProvider
from sms_connector.providers.telesign import credentials, webhooks, wire
from sms_connector.providers.telesign.statuses import UNKNOWN_REFERENCES
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_QUERY = {"Accept": "application/json"}


class TelesignProvider(HttpProvider):
    """SMS_PROVIDER_URL is the host of the account's kind: self-service, or https://rest-ww.telesign.com."""

    name = "telesign"
    callback_places: ClassVar[Mapping[str, str]] = {
        "status": "nowhere: each message names it; without that override, the account's callback URL",
        "inbound": "Telesign portal: SMS, Manage settings, SMS 2-Way Inbound, the webhook's address",
    }
    default_url = "https://rest-api.telesign.com"
    capabilities = Capabilities(
        recipients_per_call=1,
        reports_by_id=1,
        status_callbacks=True,
        callback_per_message=True,
        inbound=True,
        text_limit=1600,  # developer.telesign.com/enterprise/reference/sms (message)
        sender_kinds=frozenset(
            {SenderKind.LONG_CODE, SenderKind.TOLL_FREE, SenderKind.SHORT_CODE, SenderKind.ALPHANUMERIC}
        ),
    )
    options: ClassVar[Mapping[str, Option]] = {
        "messageType": Option(values=("ARN", "OTP", "MKT"), default="ARN"),
        "authentication": Option(values=("digest", "basic"), default="digest"),
    }
    # Telesign's own keywords are among these and those of every language:
    # developer.telesign.com/enterprise/docs/inbound-sms-action-to-keyword-mapping
    consent_words = STANDARD_WORDS
    secret_names = credentials.SECRET_NAMES
    callback_headers = credentials.SIGNATURE_HEADERS
    steps_by_hand = ("make a second API key in Telesign's portal", "expire the old key there")

    def problems(self, *, callbacks: bool = False) -> list[str]:
        return super().problems(callbacks=callbacks) + credentials.problems(self._secrets)

    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        (message,) = messages
        form = wire.send_form(message, self._option("messageType") or "")

        def make_request() -> HttpRequest:
            request = HttpRequest(
                "POST",
                self._base_url + wire.PATH,
                _FORM,
                form,
                lane=Lane.SEND,
                read_provider_error=wire.read_provider_error,
                before_attempt=before_attempt,
            )
            return self._signed(request)

        return [wire.read_outcome(self._exchange(make_request))]

    def fetch_reports(self, provider_message_ids: Sequence[str]) -> Sequence[DeliveryReport]:
        (reference_id,) = provider_message_ids
        try:
            report = wire.read_report(wire.read_query(self._get(reference_id)), reference_id)
        except ProviderRefused as error:
            if error.code in UNKNOWN_REFERENCES:
                return []
            raise
        return [report]

    def verify_callback(self, callback: RawCallback) -> bool:
        return credentials.is_signed(callback, self._secrets)

    def callback_kind(self, callback: RawCallback, addressed: CallbackKind) -> CallbackKind:
        return webhooks.kind_of(callback, addressed)

    def read_status_callback(self, callback: RawCallback) -> Sequence[DeliveryReport]:
        return [webhooks.read_status(callback)]

    def read_inbound(self, callback: RawCallback) -> Sequence[InboundMessage]:
        return [webhooks.read_message(callback)]

    def answer_status(self) -> CallbackAnswer:
        """Telesign repeats a callback after anything but a 200 (…/docs/inbound-sms)."""
        return CallbackAnswer(b"", "text/plain")

    def _needed_secrets(self) -> Sequence[str]:
        return credentials.NEEDED

    def _check(self) -> ConnectionStatus:
        """Ask for a message that can't be: that it is not known says that the credentials are good."""
        try:
            wire.read_query(self._get(wire.NO_REFERENCE))
        except ProviderRefused as error:
            if error.code not in UNKNOWN_REFERENCES:
                raise
        return ConnectionStatus(ConnectionState.ACTIVE, "Telesign accepts the customer ID and the API key")

    def _get(self, reference_id: str) -> HttpResponse:
        url = f"{self._base_url}{wire.PATH}/{reference_id}"
        return self._exchange(lambda: self._signed(HttpRequest("GET", url, _QUERY, repeatable=True)))

    def _signed(self, request: HttpRequest) -> HttpRequest:
        if self._option("authentication") == "basic":
            return credentials.with_basic(request, self._secrets)
        return credentials.with_digest(request, self._secrets, at=self._clock.time())
