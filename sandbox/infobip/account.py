"""The account, its API keys and senders, its subscription, and who a request comes from."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.credentials import basic_header, is_one_of, read_basic
from sandbox.infobip.errors import InfobipError

ACCOUNT_ID = "8F0792F86035A9F4290821F1EE6BC06A"
USERNAME, PASSWORD = "sandbox", "sandbox-password"
API_KEY = "0000000000000000000000000000000a-00000000-0000-4000-8000-00000000000a"
# May send and nothing else.
SENDING_KEY = "0000000000000000000000000000000b-00000000-0000-4000-8000-00000000000b"
NUMBERS = ("15551234567", "447860099299", "12345")
SCOPES = ("sms:manage", "inbound-message:read", "account-management:manage", "blocklist:manage")
YEAR_SECONDS = 365 * 86_400.0


@dataclass(slots=True)
class Key:
    """`id` names it in the management calls, `secret` is what a request carries."""

    id: str
    secret: str
    name: str
    scopes: tuple[str, ...]
    valid_from: float
    valid_to: float
    enabled: bool = True

    def is_valid(self, now: float) -> bool:
        return self.enabled and self.valid_from <= now < self.valid_to


@dataclass(slots=True)
class Subscription:
    """Where reports and inbound messages go that name no address themselves, and the Basic credentials of its notification
    profile. `bucket`: most reports in one request (`maxBucketSize`)."""

    delivery_url: str | None = None
    inbound_url: str | None = None
    username: str | None = None
    password: str | None = None
    bucket: int = 100

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": basic_header(self.username, self.password or "")} if self.username else {}


@dataclass(slots=True)
class Quota:
    """At most this many requests in a window of seconds (None: no limit)."""

    most: int | None
    seconds: float
    _taken: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> None:
        """Raises the 429 of Infobip where one more is one too many."""
        while self._taken and self._taken[0] <= now - self.seconds:
            self._taken.popleft()
        if self.most is not None and len(self._taken) >= self.most:
            raise InfobipError(429, retry_after=self._taken[0] + self.seconds - now)
        self._taken.append(now)


@dataclass(slots=True)
class Account:
    """`blocklist`: recipients. `keyword_rules`: STOP and START change it, as an operator can set up for a number.
    `keys_manage_keys`: against Infobip's description, which takes a user for that."""

    keys: dict[str, Key]
    numbers: set[str] = field(default_factory=lambda: set(NUMBERS))
    balance: float = 100.0
    blocklist: dict[str, float] = field(default_factory=dict)
    keyword_rules: bool = False
    keys_manage_keys: bool = False
    subscription: Subscription = field(default_factory=Subscription)
    # x-throttling-info of GET /sms/3/logs and POST /settings/2/api-keys.
    logs: Quota = field(default_factory=lambda: Quota(120, 60.0))
    key_creations: Quota = field(default_factory=lambda: Quota(40, 86_400.0))

    def apply_keyword(self, sender: str, text: str, *, now: float) -> None:
        word = text.strip().upper() if self.keyword_rules else ""
        if word == "STOP":
            self.blocklist[sender] = now
        if word == "START":
            self.blocklist.pop(sender, None)

    def scopes_of(self, authorization: str, *, now: float, takes_keys: bool) -> tuple[str, ...]:
        """Return what the caller may do. Key management takes no API keys: `security` of its operations.

        Raises the 401 of Infobip.
        """
        scheme, _, value = authorization.partition(" ")
        if scheme == "App" and (takes_keys or self.keys_manage_keys):
            for key in self.keys.values():
                if is_one_of(value, (key.secret,)) and key.is_valid(now):
                    return key.scopes
        if is_one_of(":".join(read_basic(authorization)), (f"{USERNAME}:{PASSWORD}",)):
            return SCOPES
        raise InfobipError(401)


def default_account(now: float) -> Account:
    rows = ((API_KEY, "main", SCOPES), (SENDING_KEY, "sending", ("sms:message:send",)))
    keys = [Key(secret[:32].upper(), secret, name, scopes, now, now + YEAR_SECONDS) for secret, name, scopes in rows]
    return Account({key.id: key for key in keys})
