"""Infobip: many messages a call under our ids, statuses from its logs.

`wire` reads answers and callbacks, `statuses` the meaning of a code, `rotation` makes a new key, `entities` shows logs
and scheduled bulks as entities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import ClassVar

from msgspec.structs import replace

from sms_connector.entity import EntitySource
from sms_connector.errors import CallError, NotSent, OutcomeUnknown, ProviderRefused, RequestError
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.phone_number import SenderKind
from sms_connector.provider import CallbackAnswer, Capabilities, CredentialRotation, Option, RawCallback, SendOutcome
from sms_connector.providers.common import (
    WEBHOOK_SECRETS,
    WEBHOOK_USERNAME,
    HttpProvider,
    accepts_webhook_basic,
    decode,
    not_from_provider,
    required,
    split_array,
    webhook_basic_problems,
)
from sms_connector.providers.infobip import wire
from sms_connector.providers.infobip.wire import API_KEY, NAME
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane

CAPABILITIES = Capabilities(
    # A maximum is not published ("thousands of recipients in one go"). This many wait for one answer.
    recipients_per_call=250,
    reports_by_id=wire.LOGS_PER_CALL,
    idempotent_send=True,
    ids_are_ours=True,
    status_callbacks=True,
    callback_per_message=True,
    callback_bytes=2 * 1024 * 1024,  # 2 000 reports (the most a notification profile bundles) of up to 1 KB
    inbound=True,
    text_limit=1600,  # 25 parts or 4 000 bytes: 1 675 UTF-16 units, 3 825 characters of GSM-7
    max_validity_seconds=48 * 3600,
    schedule_window=(60, 180 * 86_400),  # no earliest time is published
    sender_kinds=frozenset(
        {SenderKind.LONG_CODE, SenderKind.TOLL_FREE, SenderKind.SHORT_CODE, SenderKind.ALPHANUMERIC}
    ),
)
# Of the logs of 66 bulks with 1 000 messages and some repetitions each; an answer can't keep us for ever.
MOST_PAGES = 100


class InfobipProvider(HttpProvider):
    """SMS_PROVIDER_URL is the account's own host, `https://{xxxxx}.api.infobip.com`."""

    name = "infobip"
    callback_places: ClassVar[Mapping[str, str]] = {
        "status": "nowhere: each message names it; with HTTP Basic a subscription for Delivery does",
        "inbound": "Infobip portal: Channels and Numbers, the number, SMS, Forward to HTTP, MO_JSON_2, POST",
    }
    capabilities = CAPABILITIES
    consent_words = STANDARD_WORDS  # the words of a keyword rule are the account's own; no list is published
    secret_names = (API_KEY, *WEBHOOK_SECRETS)
    callback_headers = ("authorization",)
    options: ClassVar[Mapping[str, Option]] = {"entityId": Option(), "applicationId": Option()}
    steps_by_hand = (
        "make a second API key with the same scopes in Infobip's portal (Developer tools, API keys)",
        "disable the old key there",
    )

    def problems(self, *, callbacks: bool = False) -> list[str]:
        key, found = self._secrets.get(API_KEY) or "", super().problems(callbacks=callbacks)
        if not (key.isascii() and key.isprintable() and " " not in key):
            hint = "; write it without 'App'" if key.startswith("App ") else ""
            where = self._secrets.where(API_KEY)
            found.append(f"secret {API_KEY!r} is not printable ASCII without spaces (looked at {where}){hint}")
        return found + webhook_basic_problems(self._secrets)

    def rotations(self) -> Sequence[CredentialRotation]:
        from sms_connector.providers.infobip.rotation import KeyRotation  # only the rotator pays for it

        return (KeyRotation(self._base_url, self._transport).stages(),)

    def entities(self) -> EntitySource:
        from sms_connector.providers.infobip.entities import InfobipEntities  # at the first use

        return InfobipEntities(self._call)

    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        """A repetition is answered with status 23, which says that an id was used: the logs tell what for."""
        platform = {name: value for name in self.options if (value := self._option(name))}
        # An address that a message names goes before the account's subscription, and only that has Basic credentials.
        body = wire.send_body(messages, platform, reports=not self._secrets.get(WEBHOOK_USERNAME))
        response = self._request("POST", "/sms/3/messages", body, lane=Lane.SEND, before_attempt=before_attempt)
        if 200 <= response.status < 300:
            return self._settle(wire.read_outcomes(response, messages), messages)
        refusal = wire.read_refusal(response)
        if refusal is None:
            raise not_from_provider(NAME, response, repeatable=False)
        failure, places = refusal
        rest = [message for place, message in enumerate(messages) if place not in places]
        if response.status != 400 or not 0 < len(rest) < len(messages):
            return [failure] * len(messages)
        # Nothing of the call was taken: it is made again without the messages that the refusal names.
        try:
            outcomes = iter(self.send(rest, before_attempt))
        except (NotSent, OutcomeUnknown) as error:
            outcomes = iter([error] * len(rest))
        return [failure if place in places else next(outcomes) for place in range(len(messages))]

    def fetch_reports(self, provider_message_ids: Sequence[str]) -> Sequence[DeliveryReport]:
        missing, found = set(provider_message_ids), list[DeliveryReport]()
        for report in chain.from_iterable(map(self._logs, wire.logs_queries(provider_message_ids))):
            if report.provider_message_id in missing:
                missing.remove(report.provider_message_id)
                found.append(report)
            if not missing:
                break
        return found

    def verify_callback(self, callback: RawCallback) -> bool:
        """Check Basic where it is set; the token in the address is checked already."""
        return accepts_webhook_basic(self._secrets, callback)

    def read_status_callback(self, callback: RawCallback) -> Sequence[DeliveryReport]:
        return wire.read_reports(wire.read_callback(callback))

    def read_inbound(self, callback: RawCallback) -> Sequence[InboundMessage]:
        return wire.read_inbound(callback)

    def split_callback(self, callback: RawCallback, most_bytes: int) -> Sequence[RawCallback]:
        return split_array(callback, most_bytes, key="results")

    def answer_status(self) -> CallbackAnswer:
        return CallbackAnswer(b"", "text/plain")

    def _needed_secrets(self) -> Sequence[str]:
        return (API_KEY,)

    def _check(self) -> ConnectionStatus:
        """Read the balance; with a key that may not, preview a text, which sends nothing and is free."""
        try:
            balance = decode(wire.balance_decoder, self._call("GET", "/account/1/balance").body)
        except ProviderRefused as error:
            if error.status != 403:
                raise
        else:
            if balance is None:
                raise NotSent(f"{NAME}'s answer about the balance can't be read")
            text = f"{NAME} accepts the API key; the balance is {balance.balance:g} {balance.currency}"
            return ConnectionStatus(ConnectionState.ACTIVE, text)
        try:
            self._call("POST", "/sms/1/preview", b'{"text":"Is this connection right?"}')
        except ProviderRefused as error:
            if error.status != 403:
                raise
            text = f"{NAME} knows the API key, but not for SMS: give it the scope sms:manage (answer: {error})"
            return ConnectionStatus(ConnectionState.AUTH_ERROR, text)
        return ConnectionStatus(ConnectionState.ACTIVE, f"{NAME} accepts the API key (it may not read the balance)")

    def _settle(self, outcomes: Sequence[SendOutcome], messages: Sequence[OutboundMessage]) -> Sequence[SendOutcome]:
        """Look up in the logs what the answer leaves open."""
        pairs = list(zip(messages, outcomes, strict=True))
        is_open = [message.id for message, outcome in pairs if isinstance(outcome, OutcomeUnknown)]
        try:
            reports = self.fetch_reports(is_open) if is_open else ()
        except (CallError, ProviderRefused, RequestError):
            return outcomes
        logged = {each.provider_message_id: wire.outcome_of(each, repeated=True) for each in reports}
        return [logged.get(message.id, outcome) for message, outcome in pairs]

    def _logs(self, query: str) -> Iterator[DeliveryReport]:
        """Yield the reports of every page, newest first."""
        page = query
        for _ in range(MOST_PAGES):
            answer = decode(wire.results_decoder, self._call("GET", f"/sms/3/logs?{page}").body)
            if answer is None:
                raise NotSent(f"{NAME}'s logs can't be read")
            yield from wire.read_reports(answer.results)
            if not (page := wire.next_page(query, answer)):
                return

    def _call(self, method: str, path: str, body: bytes | None = None, *, repeatable: bool = True) -> HttpResponse:
        """Make a call that sends nothing. Raises ProviderRefused for Infobip's own error."""
        return wire.checked(self._request(method, path, body, repeatable=repeatable), repeatable=repeatable)

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        lane: Lane = Lane.POLL,
        repeatable: bool = True,
        before_attempt: BeforeAttempt | None = None,
    ) -> HttpResponse:
        url = self._base_url + path
        request = HttpRequest(
            method, url, wire.JSON, body, lane=lane, repeatable=repeatable, before_attempt=before_attempt
        )
        return self._exchange(
            lambda: replace(request, authorization=wire.authorization(required(self._secrets, API_KEY)))
        )
