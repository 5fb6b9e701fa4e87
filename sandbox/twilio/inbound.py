"""A message to one of our numbers: consent words, the webhook, and the reply it asks for.

Consent: twilio.com/docs/messaging/tutorials/advanced-opt-out and the default handling of long codes. The confirmation
texts Twilio itself sends back are not simulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.callbacks import Callbacks, Outcome
from sandbox.service import AdminError
from sandbox.twilio import numbers
from sandbox.twilio.accounts import Account
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.models import Message
from sandbox.twilio.outbox import Outbox
from sandbox.twilio.twiml import ReplyMessage, TwimlError, parse_twiml
from sandbox.twilio.validation import Form, read_draft
from sandbox.twilio.webhooks import API_VERSION, inbound_webhook

KEYWORDS: Mapping[str, frozenset[str]] = {
    "STOP": frozenset({"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"}),
    "START": frozenset({"START", "YES", "UNSTOP"}),
    "HELP": frozenset({"HELP", "INFO"}),
}


@dataclass(frozen=True, slots=True)
class Text:
    """A message on its way in, addresses in normal form."""

    to: str
    sender: str
    body: str
    media_urls: tuple[str, ...]


def keyword(body: str) -> str | None:
    """STOP, START or HELP when the whole text is one of its words, in any case."""
    word = body.strip().upper()
    return next((kind for kind, words in KEYWORDS.items() if word in words), None)


class Inbox:
    """Takes messages in for an account."""

    def __init__(self, outbox: Outbox, callbacks: Callbacks) -> None:
        self._outbox = outbox
        self._callbacks = callbacks

    async def take(self, account: Account, text: Text, *, now: float) -> dict[str, Any]:
        """Store it, keep consent, post the webhook, send the reply; answers what happened."""
        message = self._outbox.receive(
            account, to=text.to, sender=text.sender, body=text.body, media_urls=text.media_urls
        )
        kind = keyword(text.body)
        scope = (account.opt_out_scope(text.to), text.sender)
        if kind == "STOP":
            account.opt_outs.add(scope)
        if kind == "START":
            account.opt_outs.discard(scope)
        outcome = await self._post(account, message, kind=kind)
        replies, error = self._reply(account, text, outcome=outcome, now=now)
        return {
            "sid": message.sid,
            "keyword": kind,
            "webhook": None if outcome is None else {"status": outcome.status, "error": outcome.error},
            "replies": replies,
            "error": error,
        }

    async def _post(self, account: Account, message: Message, *, kind: str | None) -> Outcome | None:
        number = account.numbers[message.to]
        service = account.services.get(number.service_sid or "")
        url = (service.inbound_url if service else None) or number.sms_url
        if url is None:
            return None
        form = inbound_form(message)
        if kind is not None and service is not None and service.advanced_opt_out:
            form.append(("OptOutType", kind))
        webhook = inbound_webhook(account, subject=message.sid, method=number.sms_method, url=url, form=form)
        return await self._callbacks.post(webhook)

    def _reply(
        self, account: Account, text: Text, *, outcome: Outcome | None, now: float
    ) -> tuple[list[dict[str, Any]], str | None]:
        if outcome is None or outcome.status is None or outcome.status // 100 != 2:
            return [], None
        try:
            wanted = parse_twiml(outcome.body)
        except TwimlError as error:
            return [], str(error)
        return [self._send(account, text, reply=reply, now=now) for reply in wanted], None

    def _send(self, account: Account, text: Text, *, reply: ReplyMessage, now: float) -> dict[str, Any]:
        pairs = [("To", reply.to or text.sender), ("From", reply.sender or text.to), ("Body", reply.body)]
        pairs += [("MediaUrl", url) for url in reply.media_urls]
        pairs += [("StatusCallback", reply.callback_url)] if reply.callback_url else []
        try:
            draft = read_draft(Form(pairs), account, now=now)
        except TwilioError as refusal:
            return {"sid": None, "refused": refusal.code}
        message, _ = self._outbox.accept(account, draft, direction="outbound-reply")
        return {"sid": message.sid, "refused": None}


def inbound_form(message: Message) -> list[tuple[str, str]]:
    form = [
        ("ToCountry", ""),
        ("ToState", ""),
        ("SmsMessageSid", message.sid),
        ("NumMedia", str(len(message.media))),
        ("ToCity", ""),
        ("FromZip", ""),
        ("SmsSid", message.sid),
        ("FromState", ""),
        ("SmsStatus", "received"),
        ("FromCity", ""),
        ("Body", message.body),
        ("FromCountry", ""),
        ("To", message.to),
        ("ToZip", ""),
        ("NumSegments", str(message.segments)),
        ("MessageSid", message.sid),
        ("AccountSid", message.account_sid),
        ("From", message.sender),
        ("ApiVersion", API_VERSION),
    ]
    if message.service_sid:
        form.append(("MessagingServiceSid", message.service_sid))
    for index, media in enumerate(message.media):
        form += [(f"MediaUrl{index}", media.url), (f"MediaContentType{index}", media.content_type)]
    return form


def parse_text(account: Account, document: Mapping[str, Any]) -> Text:
    """Raises AdminError for what nobody could text."""
    to, sender = numbers.sender(str(document.get("to", ""))), numbers.recipient(str(document.get("from", "")))
    if to not in account.numbers:
        raise AdminError(f"to: {to!r} is none of the account's numbers: {', '.join(account.numbers)}")
    if sender is None:
        raise AdminError("from: a phone number in E.164 form is needed")
    urls: Sequence[Any] = document.get("mediaUrls", [])
    return Text(to, sender, str(document.get("body", "")), tuple(str(url) for url in urls))
