"""What Twilio posts: status callbacks and inbound messages, and how their URL wants to be called.

Connection overrides: twilio.com/docs/usage/webhooks/webhooks-connection-overrides.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from yarl import URL

from sandbox.callbacks import Outcome, Webhook
from sandbox.twilio.accounts import Account
from sandbox.twilio.models import Message
from sandbox.twilio.signature import sign

API_VERSION = "2010-04-01"
# Without a messaging service only what follows the hand-over is called back; with one, what leads to it as well
# (twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks). Never the first status.
CALLED_BACK = frozenset({"sent", "delivered", "undelivered", "failed", "read"})
CALLED_BACK_FOR_SERVICE = CALLED_BACK | {"queued", "sending", "canceled"}
RETRY_REASONS = frozenset({"4xx", "5xx", "ct", "rt"})


@dataclass(frozen=True, slots=True)
class ConnectionPolicy:
    """The fragment of a webhook URL: `#rc=3&rp=all&ct=2000&rt=5000&tt=15000`, here in seconds."""

    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    total_seconds: float = 15.0
    retries: int = 1
    reasons: frozenset[str] = frozenset({"ct"})

    def retries_on(self, outcome: Outcome) -> bool:
        if outcome.status is None:
            return {"connect": "ct", "read": "rt"}.get(outcome.error or "") in self.reasons
        return f"{outcome.status // 100}xx" in self.reasons


def connection_policy(url: str) -> ConnectionPolicy:
    """Values out of range are moved into it, unreadable ones fall back to the default (UNVERIFIED both)."""
    given = dict(parse_qsl(url.partition("#")[2]))
    reasons = frozenset(given.get("rp", "ct").split(","))
    return ConnectionPolicy(
        connect_seconds=_bounded(given.get("ct"), low=100, high=10_000, default=5_000) / 1000,
        read_seconds=_bounded(given.get("rt"), low=100, high=15_000, default=15_000) / 1000,
        total_seconds=_bounded(given.get("tt"), low=100, high=15_000, default=15_000) / 1000,
        retries=_bounded(given.get("rc"), low=0, high=5, default=1),
        reasons=RETRY_REASONS if "all" in reasons else reasons & RETRY_REASONS,
    )


def status_events(message: Message, statuses: Collection[str] | None) -> Iterator[tuple[float, str]]:
    """Return when which status of the message is called back; `statuses` None means those Twilio documents."""
    usual = CALLED_BACK if message.service_sid is None else CALLED_BACK_FOR_SERVICE
    wanted = usual if statuses is None else statuses
    first = message.first_status()
    for fraction, status in message.plan:
        if status != first and status in wanted:
            yield message.start + fraction * message.span, status


def status_webhook(account: Account, message: Message, *, status: str, due: float) -> Webhook:
    """Return the callback that says `status`. A canceled or deleted message has no later callbacks."""
    form = status_form(message, status, at=due)
    return _webhook(
        account,
        subject=message.sid,
        label=status,
        method="POST",
        url=message.callback_url or "",
        form=form,
        wanted=lambda: status == "canceled" or (message.canceled_at is None and message.deleted_at is None),
    )


def inbound_webhook(
    account: Account, *, subject: str, method: str, url: str, form: Sequence[tuple[str, str]]
) -> Webhook:
    return _webhook(account, subject=subject, label="inbound", method=method, url=url, form=form)


def status_form(message: Message, status: str, *, at: float) -> list[tuple[str, str]]:
    form = [
        ("SmsSid", message.sid),
        ("SmsStatus", status),
        ("MessageStatus", status),
        ("To", message.to),
        ("MessageSid", message.sid),
        ("AccountSid", message.account_sid),
        ("From", message.sender),
        ("ApiVersion", API_VERSION),
    ]
    if message.service_sid:
        form.append(("MessagingServiceSid", message.service_sid))
    if message.error_code is not None and status in ("failed", "undelivered"):
        form.append(("ErrorCode", str(message.error_code)))
    if status in ("delivered", "undelivered"):
        # Seen in recordings: two digits each of year, month, day, hour, minute, UTC.
        form.append(("RawDlrDoneDate", time.strftime("%y%m%d%H%M", time.gmtime(at))))
    return form


def _webhook(
    account: Account,
    *,
    subject: str,
    label: str,
    method: str,
    url: str,
    form: Sequence[tuple[str, str]],
    wanted: Callable[[], bool] = lambda: True,
) -> Webhook:
    token = str(uuid.uuid4())
    policy = connection_policy(url)
    posted = form if method == "POST" else ()
    address = url if method == "POST" else with_query(url, form)

    def headers() -> Mapping[str, str]:
        # Always the primary token: a secondary one signs only once it is promoted.
        return {
            "X-Twilio-Signature": sign(account.token, address, form=posted),
            "I-Twilio-Idempotency-Token": token,
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
        }

    return Webhook(subject, label, method, address, form, headers, policy, wanted)


def with_query(url: str, form: Sequence[tuple[str, str]]) -> str:
    """Return the address of a GET webhook: its fields are part of what is signed."""
    return str(URL(url.partition("#")[0], encoded=True).extend_query(list(form)))


def _bounded(text: str | None, *, low: int, high: int, default: int) -> int:
    if text is None or not text.isdigit():
        return default
    return min(max(int(text), low), high)
