"""Azure Communication Services: a hundred recipients of one text a call, an outcome for each, repeatable by our ids,
status by Event Grid and by id.

`wire` reads answers, `webhooks` events, `statuses` the meaning of a code, `credentials` signs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.phone_number import SenderKind
from sms_connector.provider import CallbackAnswer, CallbackKind, Capabilities, RawCallback, SendOutcome
from sms_connector.providers.azure import credentials, webhooks, wire
from sms_connector.providers.azure.statuses import CONSENT_WORDS
from sms_connector.providers.common import HttpProvider
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane

CAPABILITIES = Capabilities(
    recipients_per_call=wire.MOST_RECIPIENTS,
    same_text_per_call=True,
    reports_by_id=1,
    idempotent_send=True,
    status_callbacks=True,
    callback_bytes=webhooks.MOST_BYTES,
    inbound=True,
    text_limit=wire.MOST_CHARACTERS,
    sender_kinds=frozenset(
        {SenderKind.LONG_CODE, SenderKind.TOLL_FREE, SenderKind.SHORT_CODE, SenderKind.ALPHANUMERIC}
    ),
    # Messages in 60 s: 200 of a toll-free number, 6 000 of a short code, 600 of a resource's alphanumeric senders; more
    # are refused with 429. https://learn.microsoft.com/azure/communication-services/concepts/service-limits#sms
    sender_rates={SenderKind.TOLL_FREE: 200 / 60, SenderKind.SHORT_CODE: 100.0, SenderKind.ALPHANUMERIC: 10.0},
)

# Azure has no such message. With good credentials the answer is 404, with bad ones 401: nothing is sent, or read.
MADE_UP_ID = "Outgoing_connection-test"


class AzureProvider(HttpProvider):
    """SMS_PROVIDER_URL is the resource's endpoint, `https://{resource}.communication.azure.com`."""

    name = "azure"
    callback_places: ClassVar[Mapping[str, str]] = {
        "status": "Azure portal: the resource, Events, a Web Hook for SMS Delivery Report Received",
        "inbound": "Azure portal: the resource, Events, a Web Hook for SMS Received",
    }
    capabilities = CAPABILITIES
    consent_words = CONSENT_WORDS
    secret_names = credentials.SECRET_NAMES
    callback_headers = webhooks.HEADERS
    steps_by_hand = (
        "regenerate the key of the resource (Settings, Keys) that is not in use and take it",
        "regenerate the other key",
    )

    def problems(self, *, callbacks: bool = False) -> list[str]:  # noqa: ARG002 - callbacks need no secret
        return credentials.problems(self._secrets)

    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        body = wire.send_body(messages, self._settings.connection)
        return wire.read_outcomes(
            self._call("POST", wire.SEND, body, lane=Lane.SEND, before_attempt=before_attempt), messages
        )

    def fetch_reports(self, provider_message_ids: Sequence[str]) -> Sequence[DeliveryReport]:
        (message_id,) = provider_message_ids
        report = wire.read_report_answer(self._call("GET", wire.report_path(message_id)))
        return [] if report is None else [report]

    def verify_callback(self, callback: RawCallback) -> bool:  # noqa: ARG002 - Azure signs nothing
        """Accept what came to the address with the token, which the webhook has checked: there is no more to verify."""
        return True

    def handshake(self, callback: RawCallback) -> CallbackAnswer | None:
        return webhooks.answer_handshake(callback)

    def callback_kind(self, callback: RawCallback, addressed: CallbackKind) -> CallbackKind:
        return webhooks.kind_of(callback, addressed)

    def split_callback(self, callback: RawCallback, most_bytes: int) -> Sequence[RawCallback]:
        return webhooks.split(callback, most_bytes)

    def read_status_callback(self, callback: RawCallback) -> Sequence[DeliveryReport]:
        return webhooks.read_reports(callback)

    def read_inbound(self, callback: RawCallback) -> Sequence[InboundMessage]:
        return webhooks.read_messages(callback)

    def _check(self) -> ConnectionStatus:
        response = self._call("GET", wire.report_path(MADE_UP_ID))
        if not wire.is_not_found(response):
            raise wire.error_of(response)
        return ConnectionStatus(ConnectionState.ACTIVE, "Azure accepts the access key")

    def _call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        lane: Lane = Lane.POLL,
        before_attempt: BeforeAttempt | None = None,
    ) -> HttpResponse:
        url = self._base_url + path

        def request() -> HttpRequest:
            signed, authorization = credentials.sign(self._secrets, method, url, body, at=self._clock.time())
            headers = {"content-type": "application/json", "accept": "application/json", **signed}
            return HttpRequest(
                method,
                url,
                headers,
                body or None,
                authorization,
                lane,
                repeatable=True,
                before_attempt=before_attempt,
            )

        return self._exchange(request)
