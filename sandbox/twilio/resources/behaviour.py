"""What a kind of resource does beyond being kept: the defaults, which most kinds leave as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.clock import Clock
from sandbox.options import Context
from sandbox.twilio.accounts import Account, AccountBook
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.models import MessageBook
from sandbox.twilio.resources.description import Address, fields_of
from sandbox.twilio.resources.store import Fields, Row, Store


@dataclass(frozen=True, slots=True)
class World:
    """The state that all kinds share."""

    store: Store
    accounts: AccountBook
    messages: MessageBook
    context: Context
    clock: Clock

    def now(self) -> float:
        return self.clock.now()

    def sid(self, prefix: str) -> str:
        return f"{prefix}{self.context.dice.getrandbits(128):032x}"

    def find(self, row: Row, kind: str, key: str | None) -> Row | None:
        """Return another resource of the row's account."""
        return self.store.find(row.account_sid, kind, key or "", now=self.now())


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a kind's resources: the account, the address, the places in the path, and what they belong to."""

    account: Account
    address: Address
    places: Mapping[str, str]
    path: str
    query: Mapping[str, str]
    scope: Mapping[str, Any]

    def not_found(self) -> TwilioError:
        return TwilioError(20404, path=self.path)


class Behaviour:
    """`defaults` are the fields of a new row that nobody gave. `oldest_first`: the order of the list."""

    kind = ""
    defaults: Mapping[str, Any] = {}
    oldest_first = False

    def __init__(self, world: World, kind: str = "") -> None:
        self.world = world
        self.kind = kind or self.kind

    def prepare(self, account: Account) -> None:
        """Bring in what other parts of the simulator made."""

    def parent(self, asked: Asked, key: str) -> Row:
        """Return the resource that the path names as owner of others. Raises TwilioError 20404."""
        row = self.world.store.find(asked.account.sid, self.kind, key, now=self.world.now())
        if row is None:
            raise asked.not_found()
        return row

    def find(self, asked: Asked, key: str) -> Row | None:
        return self.world.store.find(asked.account.sid, self.kind, key, now=self.world.now())

    def view(self, row: Row) -> Mapping[str, Any]:
        """Return the row's fields as they are now."""
        return row.fields

    def create(self, asked: Asked, fields: Fields) -> Row:
        return self.add(asked.account.sid, {**asked.scope, **fields})

    def update(self, asked: Asked, row: Row, fields: Fields) -> None:
        row.fields |= fields
        row.fields["date_updated"] = self.world.now()

    def delete(self, asked: Asked, row: Row) -> None:
        row.deleted_at = self.world.now()

    def answer_created(self, row: Row) -> Mapping[str, Any]:
        """Return what the answer to a create request shows."""
        return self.view(row)

    def add(self, account_sid: str, fields: Fields, *, at: float | None = None) -> Row:
        """Keep a new row with the defaults of its kind, its id and its dates."""
        created = self.world.now() if at is None else at
        schema = fields_of(self.kind)
        if "sid" in schema and not fields.get("sid"):
            fields = {"sid": self.world.sid(schema["sid"].kind.removeprefix("sid:")), **fields}
        blank: Fields = {name: "POST" for name, each in schema.items() if each.kind == "http-method"}
        blank |= {name: False for name, each in schema.items() if each.kind == "boolean"}
        dates = {"date_created": created, "date_updated": created}
        complete = {**blank, **self.defaults, **dates, **fields}
        key = str(fields[self.key_field()])
        return self.world.store.add(self.kind, account_sid, key, at=complete["date_created"], fields=complete)

    def key_field(self) -> str:
        return KEYS.get(self.kind, "sid")


# What names a resource in its path where that is not its sid; of events, which have no path, a number of ours.
KEYS: Mapping[str, str] = {
    "AuthorizedConnectApps": "connect_app_sid",
    "Members": "call_sid",
    "Participants": "call_sid",
    "Events": "_key",
}
