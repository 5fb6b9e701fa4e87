"""Admin calls of resources: put some there, and switch withdrawn ones on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.service import AdminAction, AdminError
from sandbox.twilio.accounts import ACCOUNT_SID, Account
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.listing import read_moment
from sandbox.twilio.resources.behaviour import Behaviour, World
from sandbox.twilio.resources.description import POOL, fields_of
from sandbox.twilio.resources.feedback import CallFeedback
from sandbox.twilio.resources.phone_numbers import IncomingPhoneNumbers
from sandbox.twilio.resources.store import Fields

# What belongs to another resource names it by a field that its answers need not show.
OWNERS = frozenset({"call_sid", "conference_sid", "queue_sid", "address_sid", "recording_sid", "reference_sid"})
MOST_AT_ONCE = 100_000


class ResourceAdmin:
    def __init__(self, world: World, behaviours: Mapping[str, Behaviour], feedback: CallFeedback) -> None:
        self._world = world
        self._behaviours = {kind: each for kind, each in behaviours.items() if kind != POOL}
        self._feedback = feedback

    def actions(self) -> Mapping[tuple[str, str], AdminAction]:
        return {
            ("POST", "twilio/resources"): self._put,
            ("POST", "twilio/call-feedback"): self._switch_feedback,
        }

    def _put(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`type`, `fields` by the names of Twilio's answers, `count` alike, `accountSid`."""
        kind, account = str(body.get("type")), self._account(body)
        if kind not in self._behaviours:
            raise AdminError(f"type: one of {', '.join(sorted(self._behaviours))} is needed, not {kind!r}")
        fields, count = _fields(kind, body.get("fields", {})), body.get("count", 1)
        if not isinstance(count, int) or not 1 <= count <= MOST_AT_ONCE:
            raise AdminError(f"count: a whole number from 1 to {MOST_AT_ONCE} is needed")
        return {"keys": [self._add(account, kind, fields) for _ in range(count)]}

    def _add(self, account: Account, kind: str, fields: Fields) -> str:
        behaviour = self._behaviours[kind]
        if isinstance(behaviour, IncomingPhoneNumbers):
            return behaviour.keep(account, dict(fields)).key
        if behaviour.key_field() == "_key":
            fields = {**fields, "_key": self._world.sid("")}
        elif behaviour.key_field() not in fields and behaviour.key_field() != "sid":
            raise AdminError(f"fields.{behaviour.key_field()}: it names the resource and is needed")
        return behaviour.add(account.sid, dict(fields)).key

    def _switch_feedback(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(body.get("withdrawn"), bool):
            raise AdminError("withdrawn: true or false is needed")
        self._feedback.withdrawn = body["withdrawn"]
        return {"withdrawn": self._feedback.withdrawn}

    def _account(self, body: Mapping[str, Any]) -> Account:
        sid = str(body.get("accountSid", ACCOUNT_SID))
        account = self._world.accounts.accounts.get(sid)
        if account is None:
            raise AdminError(f"accountSid: {sid} is unknown; make it by POST accounts")
        return account


def _fields(kind: str, given: Any) -> Fields:
    if not isinstance(given, Mapping):
        raise AdminError("fields: an object is needed")
    schema = fields_of(kind)
    unknown = sorted(set(given) - set(schema) - OWNERS)
    if unknown:
        raise AdminError(f"fields.{unknown[0]}: unknown; {kind} has {', '.join(schema)}")
    return {
        name: _value(name, value, kind=schema[name].kind if name in schema else "string")
        for name, value in given.items()
    }


def _value(name: str, value: Any, *, kind: str) -> Any:
    """Read a moment as its epoch seconds; everything else stays."""
    if not kind.startswith("date-time") or not isinstance(value, str):
        return value
    try:
        return read_moment(name, value)[0].timestamp()
    except TwilioError:
        raise AdminError(f"fields.{name}: a moment like 2026-07-06T12:00:00Z is needed, not {value!r}") from None
