"""Admin calls of this provider: its accounts, senders, services, opt-outs, and inbound messages."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from sandbox.clock import Clock
from sandbox.service import AdminAction, AdminError
from sandbox.twilio import numbers
from sandbox.twilio.accounts import ACCOUNT_SID, Account, AccountBook, Key, MessagingService, Number, Rights
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.inbound import Inbox, parse_text
from sandbox.twilio.outbox import Outbox
from sandbox.twilio.validation import Form, read_draft

Row = TypeVar("Row", Account, MessagingService, Number)
# camelCase names an admin call may set, and the field each sets.
ACCOUNT_FIELDS = {
    "authToken": "token",
    "ownerSid": "owner_sid",
    "friendlyName": "friendly_name",
    "status": "status",
    "type": "type",
    "balance": "balance",
    "currency": "currency",
}
NUMBER_FIELDS = {"smsUrl": "sms_url", "smsMethod": "sms_method", "serviceSid": "service_sid"}
SERVICE_FIELDS = {
    "statusCallback": "status_callback",
    "inboundUrl": "inbound_url",
    "advancedOptOut": "advanced_opt_out",
}


class TwilioAdmin:
    """Every write is "make it so": it creates what is missing and changes only what is named."""

    def __init__(self, book: AccountBook, *, inbox: Inbox, outbox: Outbox, clock: Clock) -> None:
        self._book = book
        self._inbox = inbox
        self._outbox = outbox
        self._clock = clock

    def actions(self) -> Mapping[tuple[str, str], AdminAction]:
        return {
            ("GET", "accounts"): lambda _: [_shown(account) for account in self._book.accounts.values()],
            ("POST", "accounts"): self._put_account,
            ("POST", "numbers"): self._put_number,
            ("POST", "services"): self._put_service,
            ("GET", "opt-outs"): self._opt_outs,
            ("POST", "inbound"): self._inbound,
            ("POST", "twilio/inbound"): self._inbound,
            ("POST", "twilio/messages"): self._put_message,
        }

    def _put_account(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`sid`, ACCOUNT_FIELDS, `verified` (numbers), `keys` (`sid`, `secret`, `main`)."""
        sid = _required(body, "sid")
        account = self._book.accounts.get(sid) or Account(sid, "", self._clock.now(), owner_sid=sid)
        _assign(account, body, names=ACCOUNT_FIELDS)
        if not account.token:
            raise AdminError("authToken: a new account needs one")
        account.verified.update(str(number) for number in body.get("verified", []))
        for row in body.get("keys", []):
            rights = Rights.FULL if row.get("main") else Rights.STANDARD
            key = Key(_required(row, "sid"), _required(row, "secret"), rights, "", self._clock.now())
            account.keys[key.sid] = key
        self._book.add([account])
        return _shown(account)

    def _put_number(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`number`, `accountSid`, NUMBER_FIELDS."""
        account = self._account(body)
        address = numbers.sender(_required(body, "number"))
        number = account.numbers.setdefault(address, Number(address))
        _assign(number, body, names=NUMBER_FIELDS)
        return _shown(account)

    def _put_service(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`sid`, `accountSid`, SERVICE_FIELDS; its pool are the numbers with its `serviceSid`."""
        account, sid = self._account(body), _required(body, "sid")
        service = account.services.setdefault(sid, MessagingService(sid))
        _assign(service, body, names=SERVICE_FIELDS)
        return _shown(account)

    def _opt_outs(self, query: Mapping[str, Any]) -> list[dict[str, str]]:
        return [{"scope": scope, "recipient": who} for scope, who in sorted(self._account(query).opt_outs)]

    def _inbound(self, body: Mapping[str, Any]) -> Awaitable[dict[str, Any]]:
        account = self._account(body)
        return self._inbox.take(account, parse_text(account, body), now=self._clock.now())

    def _put_message(self, body: Mapping[str, Any]) -> dict[str, str]:
        """`sid`, `to`, `from`, `body`, `accountSid`: a message with an id of the caller's choice."""
        account = self._account(body)
        form = Form([(name, str(body.get(name.lower(), ""))) for name in ("To", "From", "Body")])
        try:
            draft = read_draft(form, account, now=self._clock.now())
        except TwilioError as refusal:
            raise AdminError(f"the API refuses such a message with {refusal.code}") from refusal
        message, _ = self._outbox.accept(account, draft, sid=_required(body, "sid"))
        return {"sid": message.sid}

    def _account(self, body: Mapping[str, Any]) -> Account:
        sid = str(body.get("accountSid", ACCOUNT_SID))
        account = self._book.accounts.get(sid)
        if account is None:
            raise AdminError(f"accountSid: no account {sid}")
        return account


def _assign(row: Row, body: Mapping[str, Any], *, names: Mapping[str, str]) -> None:
    for name, attribute in names.items():
        if name in body:
            setattr(row, attribute, body[name])


def _required(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise AdminError(f"{name}: a text is needed")
    return value


def _shown(account: Account) -> dict[str, Any]:
    """Return an account without its secrets."""
    return {
        "sid": account.sid,
        "status": account.status,
        "type": account.type,
        "hasSecondaryToken": account.secondary_token is not None,
        "keys": [{"sid": key.sid, "rights": key.rights.value} for key in account.keys.values()],
        "numbers": [_row(number) for number in account.numbers.values()],
        "services": [_row(service) for service in account.services.values()],
    }


def _row(row: Number | MessagingService) -> dict[str, Any]:
    return {item.name: getattr(row, item.name) for item in fields(row)}
