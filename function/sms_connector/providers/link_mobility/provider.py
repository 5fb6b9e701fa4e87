"""LINK Mobility's Common API: a thousand recipients a call, status by reports alone, no idempotency.

`wire` reads answers, `webhooks` callbacks, `statuses` the meaning of a code, `credentials` makes the Authorization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote

from msgspec.structs import replace

from sms_connector.errors import ErrorKind, NotSent, ProviderRefused
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.phone_number import SenderKind
from sms_connector.ports import Clock, SecretSource
from sms_connector.provider import Capabilities, Option, ProviderSettings, RawCallback, SendOutcome
from sms_connector.providers.common import HttpProvider, accepts_webhook_basic, not_from_provider, query_error
from sms_connector.providers.link_mobility import credentials, webhooks, wire
from sms_connector.providers.link_mobility.credentials import Credentials
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane, Transport

_JSON = {"content-type": "application/json", "accept": "application/json"}
_QUERY = {"accept": "application/json"}

# SMS REST API MT/DLR 1.18, https://www.linkmobility.com/developer/
CAPABILITIES = Capabilities(
    recipients_per_call=1000,  # "The maximum number of messages allowed within the array is 1000"
    status_callbacks=True,
    inbound=True,
    text_limit=254 * 67,  # "up to the maximum defined by the GSM standard (254 segments)"
    basic_plane_only=True,  # "Unicode 4-byte characters are not supported"
    max_validity_seconds=48 * 3600,
    schedule_window=(300, 89 * 86_400),  # "at most 3 months in the future"; no least is named
    sender_kinds=frozenset(
        {SenderKind.LONG_CODE, SenderKind.TOLL_FREE, SenderKind.SHORT_CODE, SenderKind.ALPHANUMERIC}
    ),
)


class LinkMobilityProvider(HttpProvider):
    """Without `gateId` no reports are asked for: a message then stays `queued` until it expires."""

    name = "link-mobility"
    callback_places: ClassVar[Mapping[str, str]] = {
        "status": "the destination of the gate that the option gateId names (gate API, or LINK's support)",
        "inbound": "the destination of the gate for inbound messages (gate API, or LINK's support)",
    }
    capabilities = CAPABILITIES
    consent_words = STANDARD_WORDS  # no list of LINK's own: STOP is a keyword like any other (Keyword API 1.1)
    secret_names = credentials.SECRET_NAMES
    callback_headers = webhooks.HEADERS
    steps_by_hand = (
        "have LINK's support set a new password or client secret",
        "have LINK's support end the old one, where both were good",
    )
    options: ClassVar[Mapping[str, Option]] = {
        "platformId": Option(required=True),
        "platformPartnerId": Option(required=True),
        "gateId": Option(),
    }

    def __init__(
        self, settings: ProviderSettings, *, secrets: SecretSource, transport: Transport, clock: Clock
    ) -> None:
        super().__init__(settings, secrets=secrets, transport=transport, clock=clock)
        self._account = wire.Account(
            self._option("platformId") or "", self._option("platformPartnerId") or "", self._option("gateId")
        )
        self.capabilities = replace(CAPABILITIES, status_callbacks=self._account.gate is not None)
        self._credentials = Credentials(secrets, base_url=self._base_url, send=transport.send, clock=clock)

    def problems(self, *, callbacks: bool = False) -> list[str]:  # noqa: ARG002 - Basic on callbacks is optional
        return self._credentials.problems()

    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        path = "/sms/send" if len(messages) == 1 else "/sms/sendbatch"
        body = wire.send_body(messages, self._account)
        response = self._call("POST", path, body, lane=Lane.SEND, before_attempt=before_attempt)
        if 200 <= response.status < 300:
            return wire.read_outcomes(response, messages)
        refused = wire.read_refusal(response)
        if refused is None:
            raise not_from_provider("LINK Mobility", response, repeatable=False)
        return [refused] * len(messages)

    def verify_callback(self, callback: RawCallback) -> bool:
        return accepts_webhook_basic(self._secrets, callback)

    def read_status_callback(self, callback: RawCallback) -> Sequence[DeliveryReport]:
        return [webhooks.read_report(callback)]

    def read_inbound(self, callback: RawCallback) -> Sequence[InboundMessage]:
        return [webhooks.read_message(callback)]

    def _check(self) -> ConnectionStatus:
        """List the account's gates, and look for ours among them."""
        platform, partner = (quote(each, safe="") for each in (self._account.platform, self._account.partner))
        response = self._call("GET", f"/gate/partnergate/platform/{platform}/partner/{partner}")
        if not 200 <= response.status < 300:
            raise query_error("LINK Mobility", response, wire.read_refusal(response))
        gates, ours = wire.read_gates(response), self._account.gate
        if gates is None:
            raise NotSent(
                f"the provider URL answered {response.status} with no list of gates; set it to the API itself"
            )
        if ours is not None and ours not in gates:
            known = ", ".join(gates[:10]) or "none"
            text = f"gateId {ours!r} is none of the account's gates ({known}); have LINK's support name yours"
            return ConnectionStatus(ConnectionState.ERROR, text)
        return ConnectionStatus(ConnectionState.ACTIVE, f"LINK Mobility accepts the credentials ({len(gates)} gates)")

    def _refused(self, error: ProviderRefused) -> ConnectionStatus:
        if error.kind is not ErrorKind.NOT_PERMITTED:
            return super()._refused(error)
        text = (
            f"LINK Mobility answered {error.status}, code {error.code}: {error}; check platformId and "
            "platformPartnerId. An account without the right to the Gate API is answered so too, and sends all the same"
        )
        return ConnectionStatus(ConnectionState.ERROR, text)

    def _needed_secrets(self) -> Sequence[str]:
        return self._credentials.needed

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        lane: Lane = Lane.POLL,
        before_attempt: BeforeAttempt | None = None,
    ) -> HttpResponse:
        """Send it; after a 401 (not processed) once more where the secrets have changed, or with a new token."""
        used: list[str] = []

        def make_request() -> HttpRequest:
            used.append(self._credentials.authorization())
            return HttpRequest(
                method,
                f"{self._base_url}{path}",
                _QUERY if body is None else _JSON,
                body,
                used[-1],
                lane,
                repeatable=body is None,
                before_attempt=before_attempt,
            )

        response = self._exchange(make_request)
        if response.status == 401 and self._credentials.forget(used[-1]):
            response = self._exchange(make_request)
        return response
