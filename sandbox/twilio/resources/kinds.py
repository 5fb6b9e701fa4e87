"""Every kind of resource with its behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.twilio.documents import account_path
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.resources.behaviour import Asked, Behaviour, World
from sandbox.twilio.resources.description import POOL
from sandbox.twilio.resources.phone_numbers import (
    AlphaSenders,
    IncomingPhoneNumbers,
    OutgoingCallerIds,
    Pool,
    Services,
    ShortCodes,
)
from sandbox.twilio.resources.store import Fields, Row
from sandbox.twilio.resources.voice import Calls, Conferences, Members, Participants, Queues, Recordings

# Kept as they are given.
PLAIN = (
    *("AddOnResults", "Addresses", "Applications", "AuthorizedConnectApps", "ConnectApps"),
    *("Credentials", "Events", "Notifications", "Transcriptions"),
)
DOMAIN = ".sip.twilio.com"


class Lists(Behaviour):
    """A list takes what is on it along when it is deleted."""

    def __init__(self, world: World, kind: str, owned: tuple[str, str]) -> None:
        super().__init__(world, kind)
        self._owned = owned

    def delete(self, asked: Asked, row: Row) -> None:
        super().delete(asked, row)
        kind, name = self._owned
        for each in list(self.world.store.those(row.account_sid, kind, now=self.world.now(), **{name: row.key})):
            each.deleted_at = self.world.now()


class IpAddresses(Behaviour):
    kind = "IpAddresses"
    defaults: Mapping[str, Any] = {"cidr_prefix_length": 32}


class Domains(Behaviour):
    kind = "Domains"

    def create(self, asked: Asked, fields: Fields) -> Row:
        if not fields["domain_name"].endswith(DOMAIN):
            raise TwilioError(20001, name="DomainName", value=fields["domain_name"])
        return super().create(asked, fields)


class Triggers(Behaviour):
    kind = "Triggers"
    defaults: Mapping[str, Any] = {"recurring": "alltime", "trigger_by": "usage", "current_value": "0"}

    def create(self, asked: Asked, fields: Fields) -> Row:
        value = fields["trigger_value"].removeprefix("+")
        if not value.replace(".", "", 1).isdigit():
            raise TwilioError(20001, name="TriggerValue", value=value)
        return super().create(asked, fields)

    def view(self, row: Row) -> Mapping[str, Any]:
        category = row.fields.get("usage_category")
        return {
            "usage_record_uri": f"{account_path(row.account_sid)}/Usage/Records.json?Category={category}",
            **row.fields,
        }


def behaviours(world: World) -> Mapping[str, Behaviour]:
    """Return every role that an address can have."""
    with_state: Sequence[type[Behaviour]] = (
        *(AlphaSenders, Calls, Conferences, Domains, IncomingPhoneNumbers, IpAddresses, Members, OutgoingCallerIds),
        *(Participants, Queues, Recordings, Services, ShortCodes, Triggers),
    )
    found: dict[str, Behaviour] = {each.kind: each(world) for each in with_state}
    found |= {kind: Behaviour(world, kind) for kind in PLAIN}
    found["CredentialLists"] = Lists(world, "CredentialLists", ("Credentials", "credential_list_sid"))
    found["IpAccessControlLists"] = Lists(world, "IpAccessControlLists", ("IpAddresses", "ip_access_control_list_sid"))
    found[POOL] = Pool(world, {kind: found[kind] for kind in ("IncomingPhoneNumbers", "ShortCodes")})
    return found
