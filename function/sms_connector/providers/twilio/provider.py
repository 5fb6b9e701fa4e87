"""Twilio: one recipient a call, status by id or a thousand a page, no idempotency.

`wire` reads answers, `webhooks` callbacks, `statuses` the meaning of a code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote

from sms_connector.entity import EntitySource
from sms_connector.errors import ErrorKind, ProviderRefused, StateRefused
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.phone_number import SenderKind
from sms_connector.ports import Clock, SecretSource
from sms_connector.provider import (
    CallbackAnswer,
    Capabilities,
    CredentialRotation,
    Option,
    ProviderSettings,
    RawCallback,
    ReportPage,
    ReportQuery,
    SendOutcome,
)
from sms_connector.providers.common import HttpProvider, not_from_provider
from sms_connector.providers.twilio import credentials, webhooks, wire
from sms_connector.providers.twilio.credentials import Account, Credentials
from sms_connector.providers.twilio.statuses import CONSENT_WORDS
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane, Transport

CAPABILITIES = Capabilities(
    recipients_per_call=1,
    reports_by_id=1,
    reports_per_page=wire.PAGE_SIZE,
    status_callbacks=True,
    callback_per_message=True,
    inbound=True,
    cancel=True,
    redact=True,
    text_limit=1600,  # https://www.twilio.com/docs/errors/21617
    max_validity_seconds=36_000,  # https://www.twilio.com/docs/errors/90007
    schedule_window=(300, 35 * 86_400),  # https://www.twilio.com/docs/errors/35115
    schedule_needs_pool=True,  # https://www.twilio.com/docs/errors/35118
    media_limit=10,  # https://www.twilio.com/docs/messaging/api/message-resource (MediaUrl)
    sender_kinds=frozenset(SenderKind),
    channels=frozenset({"whatsapp", "messenger", "rcs"}),
    # US numbers: https://www.twilio.com/docs/errors/21611; toll-free: https://help.twilio.com/articles/115002943027
    sender_rates={SenderKind.LONG_CODE: 1.0, SenderKind.TOLL_FREE: 3.0, SenderKind.SHORT_CODE: 100.0},
    sender_queue_seconds=36_000,  # https://www.twilio.com/docs/errors/21611
)

NOT_CANCELABLE = 30409
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_QUERY = {"accept": "application/json"}


class TwilioProvider(HttpProvider):
    """SMS_PROVIDER_URL may have the version segment `/2010-04-01`."""

    name = "twilio"
    callback_places: ClassVar[Mapping[str, str]] = {
        "status": "nowhere: each message names it",
        "inbound": "Twilio Console: the number (or the messaging service), A message comes in, Webhook, HTTP POST",
    }
    default_url = wire.DEFAULT_BASE_URL
    options: ClassVar[Mapping[str, Option]] = {
        "messagingUrl": Option(form=r"https?://[!-~]{1,200}", described="the base URL of the messaging API")
    }
    capabilities = CAPABILITIES
    consent_words = CONSENT_WORDS
    secret_names = credentials.SECRET_NAMES
    callback_headers = webhooks.HEADERS

    def __init__(
        self, settings: ProviderSettings, *, secrets: SecretSource, transport: Transport, clock: Clock
    ) -> None:
        super().__init__(settings, secrets=secrets, transport=transport, clock=clock)
        self._accounts = wire.api_root(settings.base_url or wire.DEFAULT_BASE_URL) + "/Accounts/"
        self._credentials = Credentials(secrets)

    def problems(self, *, callbacks: bool = False) -> list[str]:
        return credentials.problems(self._secrets, callbacks=callbacks)

    def rotations(self) -> Sequence[CredentialRotation]:
        from sms_connector.providers.twilio.rotation import TwilioRotations  # only the rotator pays for it

        root = self._accounts.removesuffix("/Accounts/")
        return TwilioRotations(root, self._transport, self._settings.connection).all()

    def entities(self) -> EntitySource:
        """Entity types of the messaging host are offered where that host is known: a simulator may have none."""
        from sms_connector.providers.twilio.entities import API_HOST, MESSAGING_HOST, TwilioEntities  # at the first use

        hosts = {API_HOST: self._accounts.removesuffix("/2010-04-01/Accounts/")}
        messaging = self._option("messagingUrl") or (None if self._settings.base_url else f"https://{MESSAGING_HOST}")
        if messaging is not None:
            hosts[MESSAGING_HOST] = messaging.rstrip("/")
        return TwilioEntities(self._call_at, hosts)

    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        (message,) = messages
        form = wire.send_form(message)
        response = self._call("POST", "/Messages.json", form, lane=Lane.SEND, before_attempt=before_attempt)
        if 200 <= response.status < 300:
            return [wire.read_receipt(response)]
        if response.status >= 400 and (refusal := wire.read_refusal(response)):
            return [wire.to_failure(refusal, response.status)]
        raise not_from_provider("Twilio", response, repeatable=False)

    def fetch_reports(self, provider_message_ids: Sequence[str]) -> Sequence[DeliveryReport]:
        (sid,) = provider_message_ids
        try:
            document = wire.decode(wire.message_decoder, self._get(_message_path(sid)), repeatable=True)
        except ProviderRefused as error:
            if error.status == 404:
                return []
            raise
        return [wire.read_report(document)]

    def list_reports(self, query: ReportQuery, page: str | None = None) -> ReportPage:
        return wire.read_page(self._get(f"/Messages.json?{page or wire.list_query(query)}"), query)

    def cancel(self, provider_message_id: str) -> DeliveryReport:
        """Cancel a message that Twilio holds for later; it refuses one in its queue
        (https://www.twilio.com/docs/errors/30409)."""
        try:
            # Not repeatable: a repeat after a lost answer is refused with 30409, as if it had not been canceled.
            return self._update(provider_message_id, b"Status=canceled", repeatable=False)
        except ProviderRefused as error:
            if error.code != NOT_CANCELABLE:
                raise
            raise StateRefused(
                f"the provider can cancel scheduled messages only, and this one has gone further: {error}",
                kind=ErrorKind.UNSUPPORTED,
                code=error.code,
                more_info=error.more_info,
                status=error.status,
            ) from None

    def redact(self, provider_message_id: str) -> DeliveryReport:
        return self._update(provider_message_id, b"Body=", repeatable=True)

    def verify_callback(self, callback: RawCallback) -> bool:
        return webhooks.is_signed(callback, self._credentials.callback_secrets())

    def read_status_callback(self, callback: RawCallback) -> Sequence[DeliveryReport]:
        return [webhooks.read_status(callback)]

    def read_inbound(self, callback: RawCallback) -> Sequence[InboundMessage]:
        return [webhooks.read_message(callback)]

    def answer_inbound(self, reply: str | None) -> CallbackAnswer:
        return CallbackAnswer(webhooks.twiml_reply(reply), webhooks.TWIML)

    def _check(self) -> ConnectionStatus:
        """Check the account's state; with an API key that may not see it, whether the account's messages can be
        read."""
        by_api_key = self._credentials.read().by_api_key
        try:
            account = wire.decode(wire.account_decoder, self._get(".json"), repeatable=True)
        except ProviderRefused as error:
            if not (by_api_key and error.status in (401, 403)):
                raise
            wire.decode(wire.list_decoder, self._get("/Messages.json?PageSize=1"), repeatable=True)
            text = "Twilio accepts the API key (a standard key: it may not see the account's own state)"
            return ConnectionStatus(ConnectionState.ACTIVE, text)
        if account.status != "active":
            text = f"the Twilio account is {account.status or 'in an unknown state'}; see https://console.twilio.com"
            return ConnectionStatus(ConnectionState.ERROR, text)
        trial = "; a trial account: it sends to verified numbers only" if account.type == "Trial" else ""
        return ConnectionStatus(ConnectionState.ACTIVE, f"the Twilio account is active{trial}")

    def _refused(self, error: ProviderRefused) -> ConnectionStatus:
        said = f"Twilio answered {error.status}, code {error.code}: {error}"
        if error.code == 20008:
            # https://www.twilio.com/docs/iam/test-credentials: they create messages to magic numbers and read nothing
            text = "these are Twilio's test credentials, which deliver nothing and can't be asked for a status"
            return ConnectionStatus(ConnectionState.ERROR, f"{text} ({said})")
        if error.kind in (ErrorKind.AUTHENTICATION, ErrorKind.NOT_PERMITTED):
            text = f"{said}; check the secrets account-sid and auth-token, or api-key-sid and api-key-secret"
            return ConnectionStatus(ConnectionState.AUTH_ERROR, text)
        return ConnectionStatus(ConnectionState.ERROR, said)

    def _update(self, sid: str, form: bytes, *, repeatable: bool) -> DeliveryReport:
        response = self._call("POST", _message_path(sid), form, repeatable=repeatable)
        return wire.read_report(wire.decode(wire.message_decoder, response, repeatable=repeatable))

    def _get(self, path: str) -> HttpResponse:
        return self._call("GET", path, repeatable=True)

    def _call(
        self,
        method: str,
        path: str,
        form: bytes | None = None,
        *,
        lane: Lane = Lane.POLL,
        repeatable: bool = False,
        before_attempt: BeforeAttempt | None = None,
    ) -> HttpResponse:
        def address(account: str) -> str:
            return f"{self._accounts}{account}{path}"

        return self._call_at(method, address, form, lane=lane, repeatable=repeatable, before_attempt=before_attempt)

    def _call_at(
        self,
        method: str,
        address: Callable[[str], str],
        form: bytes | None = None,
        *,
        lane: Lane = Lane.POLL,
        repeatable: bool = False,
        before_attempt: BeforeAttempt | None = None,
    ) -> HttpResponse:
        """Send it to the address for the account's SID; after a 401 (not processed) once more where the secrets have
        changed meanwhile."""

        def send(account: Account) -> HttpResponse:
            request = HttpRequest(
                method,
                address(account.sid),
                _QUERY if form is None else _FORM,
                form,
                account.authorization,
                lane,
                repeatable,
                wire.read_provider_error,
                before_attempt,
            )
            return self._transport.send(request)

        account = self._credentials.read()
        response = send(account)
        if response.status == 401 and (fresh := self._credentials.reread()) != account:
            response = send(fresh)
        return response


def _message_path(sid: str) -> str:
    return f"/Messages/{quote(sid, safe='')}.json"
