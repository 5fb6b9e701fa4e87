"""The contract of a provider: one base class, capabilities as data, four honest outcomes.

One method call is one call to the provider, hence one transaction at the throttle. The engine asks `capabilities`,
never the name. The engine refuses what they exclude before any call.

The seven providers behind this shape (facts in each package's docstrings and in docs/providers/):

    | provider | recipients a call | status by id        | status list       | own idempotency | client reference     |
    |----------|-------------------|---------------------|-------------------|-----------------|----------------------|
    | Twilio   | 1                 | 1                   | 1 000 a page      | no              | callback URL         |
    | Azure    | 100, same text    | 1 (2026 version)    | none              | yes, GUID       | tag                  |
    | Infobip  | many              | many (48 h of logs) | none              | yes, messageId  | messageId            |
    | LINK     | 1 000             | none: reports only  | none              | no              | refId                |
    | Telesign | 1                 | 1                   | none              | no              | external_id          |
    | Vibes    | 100               | 1, for support only | none              | no              | submitterMessageId   |
    | custom   | as configured     | 1, as configured    | none              | yes             | RequestId            |
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from sms_connector.entity import EntitySource
from sms_connector.errors import CredentialsMissing, NotSent, OutcomeUnknown, UnsupportedOperation
from sms_connector.model.connection_status import ConnectionStatus
from sms_connector.model.consent_words import ConsentWords
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.inbound_message import InboundMessage
from sms_connector.model.invalid_value import quote
from sms_connector.model.message import BeforeAttempt, OutboundMessage
from sms_connector.model.phone_number import Sender, SenderKind
from sms_connector.model.senders import channel_of
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Secret, SecretVersions, secret_digest


class Capabilities(msgspec.Struct, frozen=True):
    """The abilities of a provider, as data. Zero or False: it can't, and a request for it is refused before any call.

    recipients_per_call   how many messages one `send` takes
    same_text_per_call    all messages of one `send` must have the same text and sender (Azure)
    reports_by_id         how many ids one `fetch` takes
    reports_sparingly     looking messages up by id is for single ones: where callbacks come, a message is polled once
    reports_per_page      how many messages one page of `list_reports` holds; such a list also settles unknown outcomes
    idempotent_send       repeating a `send` with the same message ids is harmless: a lost answer is settled by that
    ids_are_ours          the provider's id of a message is ours, so that `fetch_reports` settles a lost answer
    callback_per_message  the provider takes a callback URL with each message
    callback_bytes        the largest callback: more than one task holds where `split_callback` can spread it
    text_limit            UTF-16 code units of a text the provider takes
    basic_plane_only      it takes no characters outside the Basic Multilingual Plane (emoji)
    max_validity_seconds, schedule_window (earliest, latest seconds ahead), media_limit
    sender_kinds          which kinds of sender it knows
    sender_rates          segments a second the provider sends for a sender of that kind, where it publishes one
    sender_queue_seconds  how long the provider's own queue for one sender may grow before it refuses
    """

    recipients_per_call: int = 1
    same_text_per_call: bool = False
    reports_by_id: int = 0
    reports_sparingly: bool = False
    reports_per_page: int = 0
    idempotent_send: bool = False
    ids_are_ours: bool = False
    status_callbacks: bool = False
    callback_per_message: bool = False
    callback_bytes: int = 64 * 1024
    inbound: bool = False
    cancel: bool = False
    redact: bool = False
    text_limit: int = 1600
    basic_plane_only: bool = False
    max_validity_seconds: int = 0
    schedule_window: tuple[int, int] | None = None
    schedule_needs_pool: bool = False
    media_limit: int = 0
    sender_kinds: frozenset[SenderKind] = frozenset()
    channels: frozenset[str] = frozenset()
    sender_rates: Mapping[SenderKind, float] = msgspec.field(default_factory=dict)
    sender_queue_seconds: int = 0

    def sender_problem(self, sender: Sender) -> str | None:
        """Return why the provider can't send for a sender; None where it can."""
        if self.sender_kinds and sender.kind not in self.sender_kinds:
            known = ", ".join(sorted(self.sender_kinds))
            return f"{quote(sender.address)} is a {sender.kind}, which the provider does not have; it has: {known}"
        channel = channel_of(sender)
        if channel and channel not in self.channels:
            known = ", ".join(sorted(self.channels)) or "none"
            return f"the provider has no channel {quote(channel)}; it has: {known}"
        return None


class SendReceipt(msgspec.Struct, frozen=True):
    """The provider took the message: its own id (empty where the reports are the first to tell it), and the status it
    gave at once (with the reason, if it is a failure)."""

    provider_message_id: str
    status: MessageStatus
    raw_status: str
    segments: int | None = None
    failure: FailureReason | None = None


# What became of one message of a call that was answered: taken, refused with a reason, or not told.
SendOutcome = SendReceipt | FailureReason | NotSent | OutcomeUnknown


class ProviderSettings(msgspec.Struct, frozen=True):
    """A connection's settings for its provider: the connection's name, SMS_PROVIDER_URL, SMS_PROVIDER_OPTIONS."""

    connection: str = "local"
    base_url: str | None = None
    options: Mapping[str, str] = msgspec.field(default_factory=dict)


class Option(msgspec.Struct, frozen=True):
    """One name of SMS_PROVIDER_OPTIONS: `values` are the only ones, else `form` is a pattern that `described`
    explains."""

    values: tuple[str, ...] = ()
    form: str = r"[!-~]{1,255}"
    described: str = "1 to 255 printable ASCII characters without spaces"
    required: bool = False
    default: str | None = None

    def problem(self, value: str) -> str | None:
        if self.values:
            return None if value in self.values else f"{value[:40]!r} is not one of {', '.join(self.values)}"
        return None if re.fullmatch(self.form, value) else f"{value[:40]!r} is not {self.described}"


class ReportQuery(msgspec.Struct, frozen=True):
    """Which messages a list is asked for: created at or after `since`, of one recipient or sender where given."""

    since: datetime
    to: str | None = None
    sender: str | None = None


class ReportPage(msgspec.Struct, frozen=True):
    """One page of a provider's list, newest first; `next_page` is None at the end."""

    reports: Sequence[DeliveryReport]
    next_page: str | None = None


class RotationStage(msgspec.Struct, frozen=True):
    """A stage of a credential's rotation. `act` runs again after a death in the middle of it, and finds what it did.

    `spreads`: secrets whose newest versions every node has to use before the next stage. `overlaps`: then both
    credentials are good for a while, for what is under way. Where the provider refuses it to this connection, the first
    stage raises UnsupportedOperation before it changes anything.
    """

    name: str
    act: Callable[[RotatedSecrets], None]
    spreads: tuple[str, ...] = ()
    overlaps: bool = False


class CredentialRotation(msgspec.Struct, frozen=True):
    """How a new credential is made and takes the place of the old one; `secrets` are those it changes. At no point is
    there a moment without a working credential. `is_allowed` asks the provider whether the connection may."""

    secrets: tuple[str, ...]
    stages: tuple[RotationStage, ...]
    is_allowed: Callable[[SecretVersions], bool] = lambda _: True


class RotatedSecrets(msgspec.Struct, frozen=True):
    """The secrets of a rotation. `before`: their digests when it began."""

    versions: SecretVersions
    before: Mapping[str, str]

    def read(self, name: str) -> Secret:
        """Return the newest value. Raises CredentialsMissing."""
        value = self.versions.read(name)
        if not value:
            raise CredentialsMissing(f"secret {name!r} has no version that can be read: add one")
        return value

    def is_changed(self, name: str) -> bool:
        """Return whether this rotation has given it a new version already."""
        return secret_digest(name, self.versions.read(name)) != self.before[name]

    def add(self, name: str, value: str) -> None:
        """Make it the newest version, unless it is."""
        if self.versions.read(name) != value:
            self.versions.add(name, Secret(value))

    def older(self, name: str) -> list[Secret]:
        """Return the values of the enabled versions before the newest."""
        numbers = self.versions.numbers(name)[1:]
        return [value for number in numbers if (value := self.versions.read(name, number))]

    def disable_older(self, *names: str) -> None:
        for name in names:
            for number in self.versions.numbers(name)[1:]:
                self.versions.disable(name, number)


class RawCallback(msgspec.Struct, frozen=True):
    """A provider's request to our webhook, as it arrived.

    `url` is the configured public URL with the query of the request, never what a proxy made of it. `received_at` is
    when it arrived at the webhook, not when it was read: not every provider says when something happened.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


CallbackKind = Literal["status", "inbound"]


class CallbackAnswer(msgspec.Struct, frozen=True):
    """The HTTP answer to a provider's callback."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


def is_wanted(header: str, wanted: Sequence[str]) -> bool:
    """Return whether it is one of a provider's `callback_headers`."""
    lowered = header.lower()
    return any(lowered.startswith(each) if each.endswith("-") else lowered == each for each in wanted)


class Provider(ABC):
    """One provider. Optional operations refuse by default (`errors.UnsupportedOperation`): a provider states only what
    it can, in `capabilities` and by its methods. Callers ask `capabilities` first, so that a refusal comes before any
    call.

    Methods raise `errors.NotSent`, `errors.OutcomeUnknown`, `errors.Throttled` (from the transport), and all but `send`
    raise `errors.ProviderRefused` when the provider answers with its own error.

    `default_url` is the address without SMS_PROVIDER_URL; None: the setting is required. `options` are the names that
    SMS_PROVIDER_OPTIONS may have. `callback_places` say where the addresses (`status`, `inbound`) are entered at the
    provider. `steps_by_hand` say how an operator makes a new credential in the provider's console and ends the old one.

    `consent_words` are the provider's documented lists, `secret_names` every secret it may read (`problems` says which
    it needs). `callback_headers` are the headers that `verify_callback` and the readers use, in lower case; one that
    ends in `-` stands for all that begin with it. `handshake` and the answers to callbacks work without any secret.
    """

    name: str
    capabilities: Capabilities
    consent_words: ConsentWords
    secret_names: tuple[str, ...] = ()
    callback_headers: tuple[str, ...] = ()
    default_url: str | None = None
    options: ClassVar[Mapping[str, Option]] = {}
    callback_places: ClassVar[Mapping[str, str]] = {}
    steps_by_hand: tuple[str, str] = ("make one there", "end the old one")

    @classmethod
    def setting_problems(cls, settings: ProviderSettings) -> list[str]:
        """Return what is wrong with the settings for this provider, and the fix."""
        problems = []
        if cls.default_url is None and settings.base_url is None:
            problems.append(f"SMS_PROVIDER_URL is missing: {cls.name} has no public address; write your account's own")
        names = ", ".join(sorted(cls.options)) or "none"
        for name, value in settings.options.items():
            if name not in cls.options:
                problems.append(
                    f"SMS_PROVIDER_OPTIONS (environment): {name!r} is no option of {cls.name}; it has {names}"
                )
            elif (problem := cls.options[name].problem(value)) is not None:
                problems.append(f"SMS_PROVIDER_OPTIONS (environment): {name}: {problem}")
        return problems + [
            f"SMS_PROVIDER_OPTIONS is missing {name}: {cls.name} needs it ({option.described})"
            for name, option in cls.options.items()
            if option.required and name not in settings.options
        ]

    def rotations(self) -> Sequence[CredentialRotation]:
        """Return the credentials that can be rotated without an operator; none where the provider lets nobody make
        one."""
        return ()

    def entities(self) -> EntitySource:
        """Return what reads and writes the provider's data as entities; by default there are no entity types. Called
        once, by the first request for them."""
        return EntitySource()

    @abstractmethod
    def problems(self, *, callbacks: bool = False) -> list[str]:
        """Return the problems of the secrets for the start: which, where it was looked for, what is allowed; never a
        value.

        `callbacks`: the provider's callbacks will be verified too.
        """

    @abstractmethod
    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        """Send at most `recipients_per_call` messages; return an outcome each, in order. `before_attempt` is the
        request's, for the transport.

        An exception holds for every message of the call. A refusal of the whole call is a FailureReason for each.
        With `idempotent_send` the outcome of a repeated call is that of the first.
        """

    @abstractmethod
    def check_connection(self) -> ConnectionStatus:
        """Query the provider, without sending: is it there, and does it accept our credentials?"""

    def fetch_reports(self, provider_message_ids: Sequence[str]) -> Sequence[DeliveryReport]:
        """Return the reports of at most `reports_by_id` messages; one that the provider does not know is left out."""
        raise self._unsupported("look up messages by id")

    def list_reports(self, query: ReportQuery, page: str | None = None) -> ReportPage:
        """Return one page of the provider's own list; `page` is the `next_page` of the one before."""
        raise self._unsupported("list messages")

    def cancel(self, provider_message_id: str) -> DeliveryReport:
        """Cancel a message that was not sent yet."""
        raise self._unsupported("cancel a message")

    def redact(self, provider_message_id: str) -> DeliveryReport:
        """Have the provider delete the text."""
        raise self._unsupported("redact a message")

    def verify_callback(self, callback: RawCallback) -> bool:
        """Check the signature against the current and the previous secret, in constant time.

        Raises `errors.NotSent` if our own secret is missing or can't be read: the callback has to be checked again
        later.
        """
        raise self._unsupported("send callbacks")

    def read_status_callback(self, callback: RawCallback) -> Sequence[DeliveryReport]:
        """Return the reports of a verified callback. Raises `errors.InvalidRequest` if it is not one."""
        raise self._unsupported("report by callbacks")

    def read_inbound(self, callback: RawCallback) -> Sequence[InboundMessage]:
        """Return the messages of a verified callback. Raises `errors.InvalidRequest` if it is not one."""
        raise self._unsupported("deliver inbound messages")

    def split_callback(self, callback: RawCallback, most_bytes: int) -> Sequence[RawCallback]:
        """Spread a callback that holds many reports over requests of at most `most_bytes` each, which are verified and
        read one by one."""
        return [callback]

    def handshake(self, callback: RawCallback) -> CallbackAnswer | None:
        """Answer a provider that asks whether an address is ours; return None for any other callback."""
        return None

    def callback_kind(self, callback: RawCallback, addressed: CallbackKind) -> CallbackKind:
        """Return what a verified callback is: what its address says, unless the provider has one address for both."""
        return addressed

    def answer_status(self) -> CallbackAnswer:
        """Return the answer to a status callback."""
        return CallbackAnswer(b"", "text/plain", 204)

    def answer_inbound(self, reply: str | None) -> CallbackAnswer:
        """Return the answer to an inbound callback, with a text to the sender or without; empty where the provider
        expects nothing."""
        return CallbackAnswer(b"", "text/plain")

    def _unsupported(self, operation: str) -> UnsupportedOperation:
        return UnsupportedOperation(
            f"{self.name} can't {operation}; GET /v1/connection shows what it can (capabilities)"
        )
