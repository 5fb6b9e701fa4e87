"""Accounts, their credentials and senders; who a request comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.credentials import is_one_of, read_basic

ACCOUNT_SID = "AC00000000000000000000000000000001"
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of a simulator
KEY_SID = "SK00000000000000000000000000000001"
KEY_SECRET = "standardkeysecret000000000000001"  # noqa: S105
MAIN_KEY_SID = "SK00000000000000000000000000000002"
MAIN_KEY_SECRET = "mainkeysecret0000000000000000002"  # noqa: S105
SERVICE_SID = "MG00000000000000000000000000000001"
SERVICE_NUMBER = "+15017250604"
NUMBERS = ("+15005550006", "+15017122661", "+15551234567", "12345", "whatsapp:+14155238886")


class Rights(StrEnum):
    """A standard API key cannot reach the Accounts and Keys resources; the auth token and a main key can."""

    FULL = "full"
    STANDARD = "standard"


@dataclass(slots=True)
class Key:
    sid: str
    secret: str
    rights: Rights
    friendly_name: str
    created_at: float


@dataclass(slots=True)
class Number:
    """A sender of the account, and where messages to it are posted."""

    address: str
    sms_url: str | None = None
    sms_method: str = "POST"
    service_sid: str | None = None


@dataclass(slots=True)
class MessagingService:
    sid: str
    status_callback: str | None = None
    inbound_url: str | None = None
    advanced_opt_out: bool = False


@dataclass(slots=True)
class Account:
    """`opt_outs`: pairs of (sender number or messaging service, recipient). `verified`: whom a trial may text."""

    sid: str
    token: str
    created_at: float
    owner_sid: str
    friendly_name: str = "Sandbox"
    status: str = "active"
    type: str = "Full"
    balance: str = "100.00"
    currency: str = "USD"
    secondary_token: str | None = None
    keys: dict[str, Key] = field(default_factory=dict)
    numbers: dict[str, Number] = field(default_factory=dict)
    services: dict[str, MessagingService] = field(default_factory=dict)
    verified: set[str] = field(default_factory=set)
    opt_outs: set[tuple[str, str]] = field(default_factory=set)

    def pool(self, service_sid: str) -> list[Number]:
        """Return the senders of a messaging service."""
        return [number for number in self.numbers.values() if number.service_sid == service_sid]

    def opt_out_scope(self, sender: str) -> str:
        """Consent is kept per messaging service where the number is in one, else per number."""
        number = self.numbers.get(sender)
        return number.service_sid if number and number.service_sid else sender


@dataclass(frozen=True, slots=True)
class Caller:
    account: Account
    rights: Rights


@dataclass(slots=True)
class AccountBook:
    accounts: dict[str, Account] = field(default_factory=dict)

    def add(self, accounts: Iterable[Account]) -> None:
        self.accounts.update((account.sid, account) for account in accounts)

    def caller(self, authorization: str | None) -> Caller | None:
        """Return the owner of the credentials, None if unknown."""
        user, password = read_basic(authorization or "")
        if user.startswith("SK"):
            return self._key_caller(user, password)
        account = self.accounts.get(user)
        if account is None or not is_one_of(password, (account.token, account.secondary_token)):
            return None
        return Caller(account, Rights.FULL)

    def reach(self, caller: Caller, sid: str) -> Account | None:
        """Return the account of the path, if it is the caller's own or a sub-account of it."""
        account = self.accounts.get(sid)
        return account if account and caller.account.sid in (account.sid, account.owner_sid) else None

    def _key_caller(self, user: str, secret: str) -> Caller | None:
        for account in self.accounts.values():
            key = account.keys.get(user)
            if key is not None and is_one_of(secret, (key.secret,)):
                return Caller(account, key.rights)
        return None


def default_account(now: float) -> Account:
    keys = [
        Key(KEY_SID, KEY_SECRET, Rights.STANDARD, "standard", now),
        Key(MAIN_KEY_SID, MAIN_KEY_SECRET, Rights.FULL, "main", now),
    ]
    numbers = [Number(address) for address in NUMBERS] + [Number(SERVICE_NUMBER, service_sid=SERVICE_SID)]
    return Account(
        sid=ACCOUNT_SID,
        token=AUTH_TOKEN,
        created_at=now,
        owner_sid=ACCOUNT_SID,
        keys={key.sid: key for key in keys},
        numbers={number.address: number for number in numbers},
        services={SERVICE_SID: MessagingService(SERVICE_SID)},
    )
