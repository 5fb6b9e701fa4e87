"""What a provider's room supplies so that the contract suite can run over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.ports import SecretSource
from sms_connector.provider import Provider, RawCallback
from sms_connector.transport.http import HttpRequest, HttpResponse, Transport
from tests.fixtures.openapi_witness import OpenApiWitness

NOW = datetime(2026, 7, 6, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Listed:
    """One message of a list as the case is to render it. `age_seconds` counts back from `NOW`."""

    provider_message_id: str
    text: str
    age_seconds: int


@dataclass(frozen=True)
class ProviderCase:
    """How to build the provider, and its wire's answers by what they mean.

    secrets          complete and valid; `rotated` are the values after a rotation, `optional` those it works without
    message_id       the provider's id of the n-th message
    witness          the provider's own OpenAPI document, where it has one: all traffic is held against it
    taken            the answer that takes the messages of one call, `ids` in order; it may depend on the request
    ids_come_later   an answer for several messages has no ids of theirs: the reports tell them
    refusal          the answer that refuses a call, with (code, message, more_info) as the wire says them, verbatim
    opted_out        the refusal of a recipient who opted out
    unauthorized     the answer to credentials that are wrong
    unreadable       answers of success from which no outcome can be read
    words            every status word of the provider and what it means
    report           the answer to the query for one message: its id and its status word
    not_known        the answer to the query for a message the provider does not know
    page             one page of the list and, where there are more, the name of the next page as the provider gives it
    foreign_page     a name of a next page that leads to another host
    connected        the answer to the connection test
    some_refused     the answer that takes the messages of one call, `ids` in order, but for the one at that place
    status_callback  the provider's signed callback to `url`, of a message's id and status word
    many_reports     one callback to `url` with a report for each (id, status word), and an entry that can't be read
    inbound          the provider's signed callback to `url`, of a message from a sender with a text
    forged           the same callback with one byte of its content changed, by what was changed; None where the
                     address's token is all there is to verify
    """

    name: str
    build: Callable[[SecretSource, Transport], Provider]
    secrets: Mapping[str, str]
    rotated: Mapping[str, str]
    message_id: Callable[[int], str]
    taken: Callable[[Sequence[str]], HttpResponse | Callable[[HttpRequest], HttpResponse]]
    refusal: HttpResponse
    refusal_words: tuple[int | str, str, str | None]
    opted_out: HttpResponse
    unauthorized: HttpResponse
    unreadable: Mapping[str, HttpResponse]
    words: Mapping[str, MessageStatus]
    connected: HttpResponse
    report: Callable[[str, str], HttpResponse] | None = None
    not_known: HttpResponse | None = None
    page: Callable[[Sequence[Listed], str | None], HttpResponse] | None = None
    next_page: str = ""
    foreign_page: str = ""
    some_refused: Callable[[Sequence[str], int], HttpResponse] | None = None
    status_callback: Callable[[str, str, str], RawCallback] | None = None
    many_reports: Callable[[str, Sequence[tuple[str, str]]], RawCallback] | None = None
    inbound: Callable[[str, str, str], RawCallback] | None = None
    forged: Callable[[RawCallback], Mapping[str, RawCallback]] | None = None
    witness: OpenApiWitness | None = None
    ids_come_later: bool = False
    senders: Sequence[str] = ("+15551234567",)
    optional: frozenset[str] = frozenset()

    def messages(self, count: int) -> list[OutboundMessage]:
        """Messages for one call: the same text, so that every provider can take them together."""
        return [
            OutboundMessage(f"msg_{number}", f"+155586753{number:02}", self.senders[0], "Your order ships today – ✓")
            for number in range(count)
        ]
