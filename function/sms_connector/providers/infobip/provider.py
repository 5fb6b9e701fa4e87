"""Infobip: many messages a call under our ids, statuses from its logs.

`wire` reads answers, `webhooks` callbacks, `statuses` the meaning of a code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import ClassVar

from sms_connector.errors import CallError, NotSent, OutcomeUnknown, ProviderRefused, RequestError, RetrySafety
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.phone_number import SenderKind
from sms_connector.model.status import MessageStatus
from sms_connector.provider import CallbackAnswer, Capabilities, Option, RawCallback, SendOutcome, SendReceipt
from sms_connector.providers.common import HttpProvider, accepts_basic, decode, not_from_provider, split_array
from sms_connector.providers.infobip import credentials, webhooks, wire
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane

CAPABILITIES = Capabilities(
    # A maximum is not published ("thousands of recipients in one go"). This many wait for one answer.
    recipients_per_call=250,
    reports_by_id=wire.LOGS_PER_CALL,
    idempotent_send=True,
    ids_are_ours=True,
    status_callbacks=True,
    callback_per_message=True,
    callback_bytes=webhooks.CALLBACK_BYTES,
    inbound=True,
    text_limit=1600,  # 25 parts or 4 000 bytes: 1 675 UTF-16 units, 3 825 characters of GSM-7
    max_validity_seconds=48 * 3600,
    schedule_window=(60, 180 * 86_400),  # no earliest time is published
    sender_kinds=frozenset(
        {SenderKind.LONG_CODE, SenderKind.TOLL_FREE, SenderKind.SHORT_CODE, SenderKind.ALPHANUMERIC}
    ),
)
NAME = "Infobip"
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
    secret_names = credentials.SECRET_NAMES
    callback_headers = webhooks.HEADERS
    options: ClassVar[Mapping[str, Option]] = {"entityId": Option(), "applicationId": Option()}
    steps_by_hand = (
        "make a second API key with the same scopes in Infobip's portal (Developer tools, API keys)",
        "disable the old key there",
    )

    def problems(self, *, callbacks: bool = False) -> list[str]:  # noqa: ARG002 - Basic is checked where it is set
        return credentials.problems(self._secrets)

    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        """A repetition is answered with status 23, which says that an id was used: the logs tell what for."""
        response = self._post(messages, before_attempt)
        if 200 <= response.status < 300:
            return self._settle(messages, wire.read_outcomes(response, messages))
        refusal = wire.read_refusal(response) if response.status >= 400 else None
        if refusal is None:
            raise not_from_provider(NAME, response, repeatable=False)
        failure = refusal.to_failure()
        if response.status != 400 or not refusal.places or len(refusal.places) >= len(messages):
            return [failure] * len(messages)
        return self._send_rest(messages, refusal.places, failure, before_attempt)

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
        return accepts_basic(
            self._secrets, callback, user=credentials.WEBHOOK_USERNAME, passwords=credentials.CALLBACK_PASSWORDS
        )

    def read_status_callback(self, callback: RawCallback) -> Sequence[DeliveryReport]:
        return webhooks.read_status(callback)

    def read_inbound(self, callback: RawCallback) -> Sequence[InboundMessage]:
        return webhooks.read_inbound(callback)

    def split_callback(self, callback: RawCallback, most_bytes: int) -> Sequence[RawCallback]:
        return split_array(callback, most_bytes, key=webhooks.RESULTS)

    def answer_status(self) -> CallbackAnswer:
        return CallbackAnswer(b"", "text/plain")

    def _needed_secrets(self) -> Sequence[str]:
        return (credentials.API_KEY,)

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

    # --- sends --------------------------------------------------------------------------------------------------------

    def _post(self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None) -> HttpResponse:
        platform = {name: value for name in self.options if (value := self._option(name))}
        # An address that a message names goes before the account's subscription, and only that has Basic credentials.
        reports = not self._secrets.get(credentials.WEBHOOK_USERNAME)
        body = wire.send_body(messages, platform, reports=reports)
        return self._request("POST", "/sms/3/messages", body, lane=Lane.SEND, before_attempt=before_attempt)

    def _send_rest(
        self,
        messages: Sequence[OutboundMessage],
        refused: frozenset[int],
        failure: FailureReason,
        before_attempt: BeforeAttempt | None,
    ) -> Sequence[SendOutcome]:
        """Send a refused request without the messages that the refusal names: nothing of it was taken."""
        rest = [message for place, message in enumerate(messages) if place not in refused]
        try:
            outcomes = iter(self.send(rest, before_attempt))
        except (NotSent, OutcomeUnknown) as error:
            outcomes = iter([error] * len(rest))
        return [failure if place in refused else next(outcomes) for place in range(len(messages))]

    def _settle(self, messages: Sequence[OutboundMessage], outcomes: Sequence[SendOutcome]) -> Sequence[SendOutcome]:
        """Look up in the logs what the answer leaves open."""
        is_open = [message.id for message, each in zip(messages, outcomes, strict=True) if _is_open(each)]
        if not is_open:
            return outcomes
        try:
            logged = {report.provider_message_id: report for report in self.fetch_reports(is_open)}
        except (CallError, ProviderRefused, RequestError):
            return outcomes
        return [
            _from_log(logged[message.id]) if _is_open(each) and message.id in logged else each
            for message, each in zip(messages, outcomes, strict=True)
        ]

    # --- calls --------------------------------------------------------------------------------------------------------

    def _logs(self, query: str) -> Iterator[DeliveryReport]:
        """Yield the reports of every page, newest first."""
        page: str | None = query
        for _ in range(MOST_PAGES):
            if page is None:
                return
            answer = decode(wire.logs_decoder, self._call("GET", f"/sms/3/logs?{page}").body)
            if answer is None:
                raise NotSent(f"{NAME}'s logs can't be read")
            yield from wire.read_reports(wire.read_messages(answer.results))
            page = wire.next_page(query, answer)

    def _call(self, method: str, path: str, body: bytes | None = None) -> HttpResponse:
        """Make a call that sends nothing. Raises ProviderRefused for Infobip's own error."""
        response = self._request(method, path, body)
        if 200 <= response.status < 300:
            return response
        refusal = wire.read_refusal(response) if response.status >= 400 else None
        if refusal is None:
            raise not_from_provider(NAME, response, repeatable=True)
        raise refusal.to_error(response.status)

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        lane: Lane = Lane.POLL,
        before_attempt: BeforeAttempt | None = None,
    ) -> HttpResponse:
        def make() -> HttpRequest:
            return HttpRequest(
                method,
                self._base_url + path,
                wire.JSON,
                body,
                credentials.authorization(self._secrets),
                lane,
                repeatable=True,
                before_attempt=before_attempt,
            )

        return self._exchange(make)


def _is_open(outcome: SendOutcome) -> bool:
    return isinstance(outcome, OutcomeUnknown)


def _from_log(report: DeliveryReport) -> SendOutcome:
    """Return the outcome of the first call. A refusal that may pass (no credit) has used the id for good: it ends the
    message instead of having it sent again in vain, and whoever retries sends another one."""
    failure = report.failure
    if failure is not None and report.status is MessageStatus.FAILED and failure.retry is RetrySafety.NEVER:
        return failure
    return SendReceipt(report.provider_message_id, report.status, report.raw_status, report.segments, failure)
