"""Twilio's case for the suite of catalogues."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox import Sandbox
from tests.contract.entities.case import EntityCase
from tests.sandbox.support import TO, Api

_PUT: Mapping[str, Mapping[str, str]] = {
    "Addresses": {},
    "Calls": {},
    "Conferences": {},
    "IncomingPhoneNumbers": {"phone_number": "+15550001111"},
    "OutgoingCallerIds": {},
    "Recordings": {},
}
_PREFIXES = {
    "AddressSid": "AD",
    "CallSid": "CA",
    "ConferenceSid": "CF",
    "CredentialListSid": "CL",
    "IpAccessControlListSid": "AL",
    "MessageSid": "SM",
    "QueueSid": "QU",
    "RecordingSid": "RE",
    "ReferenceSid": "RE",
    "ServiceSid": "MG",
}


def _fill(sandbox: Sandbox) -> None:
    api = Api(sandbox.url, None)
    for number in range(4):
        api.created(Body=f"Hello {number}", To=TO if number % 2 else "+15558675311")
        sandbox.admin.advance(40_000)
    for name, fields in _PUT.items():
        sandbox.admin.post("twilio/resources", {"type": name, "fields": fields, "count": 1 if fields else 3})


CASE = EntityCase(
    "twilio",
    _fill,
    filled=frozenset({"Messages", *_PUT}),
    parents={column: prefix + "0" * 32 for column, prefix in _PREFIXES.items()}
    | {"IsoCountry": "US", "Category": "Local"},
    absent=frozenset(_PREFIXES),
    options={"messagingUrl": "{url}"},
)
