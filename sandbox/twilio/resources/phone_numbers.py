"""Numbers: those of the account, those on sale, caller ids, short codes, and messaging services with their senders.

The account's senders (`sandbox.twilio.accounts`) are what messages are sent with; here each has its resource.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sandbox.twilio import numbers
from sandbox.twilio.accounts import Account, MessagingService, Number
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.resources.behaviour import Asked, Behaviour, World
from sandbox.twilio.resources.store import Fields, Row
from sandbox.twilio.resources.voice import Calls

ALL_CAPABILITIES = {"voice": True, "sms": True, "mms": True, "fax": False}
TOLL_FREE = re.compile(r"\+1(?:800|833|844|855|866|877|888)")
BRITISH_MOBILE = re.compile(r"\+447")
# Twilio's own test numbers for buying: twilio.com/docs/iam/test-credentials. Any other valid one is for sale here.
UNSALEABLE: Mapping[str, int] = {"+15005550000": 21422, "+15005550001": 21421}
EMPTY_AREAS: Mapping[str, int] = {"533": 21452, "534": 21451}
MOST_ON_SALE = 50


class IncomingPhoneNumbers(Behaviour):
    kind = "IncomingPhoneNumbers"
    defaults: Mapping[str, Any] = {
        "address_requirements": "none",
        "beta": False,
        "capabilities": ALL_CAPABILITIES,
        "emergency_address_status": "unregistered",
        "emergency_status": "Inactive",
        "origin": "twilio",
        "status": "in-use",
        "voice_receive_mode": "voice",
    }

    def prepare(self, account: Account) -> None:
        known = {
            row.fields["phone_number"]
            for row in self.world.store.shelf(account.sid, self.kind).rows
            if row.deleted_at is None
        }
        for address in list(account.numbers):
            if numbers.E164.fullmatch(address) and address not in known:
                sid = fixed_sid("PN", account, address)
                self.keep(account, {"sid": sid, "phone_number": address}, at=account.created_at)

    def keep(self, account: Account, fields: Fields, *, at: float | None = None) -> Row:
        """Add a number to the account, also as a sender."""
        address = str(fields["phone_number"])
        number = account.numbers.setdefault(address, Number(address))
        own = {"type": kind_of_number(address), "friendly_name": numbers.national(address)}
        row = self.add(account.sid, {**own, **fields}, at=at)
        _hand_over(fields, number)
        return row

    def view(self, row: Row) -> Mapping[str, Any]:
        number = self.world.accounts.accounts[row.account_sid].numbers.get(str(row.fields["phone_number"]))
        return {**row.fields, **_sender_fields(number)}

    def create(self, asked: Asked, fields: Fields) -> Row:
        area, address = fields.pop("area_code", None), fields.pop("phone_number", None)
        if address is None and area is None:
            raise TwilioError(20001, message="Missing required parameter PhoneNumber in the post body")
        bought = _bought(asked.account, address) if address else _in_area(asked.account, str(area))
        return self.keep(asked.account, {**fields, "phone_number": bought})

    def update(self, asked: Asked, row: Row, fields: Fields) -> None:
        to = fields.pop("account_sid", asked.account.sid)
        if to != asked.account.sid:
            # Numbers don't move between the simulated accounts.
            raise TwilioError(20001, name="AccountSid", value=to)
        super().update(asked, row, fields)
        number = asked.account.numbers.get(str(row.fields["phone_number"]))
        if number is not None:
            _hand_over(fields, number)

    def delete(self, asked: Asked, row: Row) -> None:
        super().delete(asked, row)
        asked.account.numbers.pop(str(row.fields["phone_number"]), None)


class ShortCodes(Behaviour):
    kind = "ShortCodes"

    def prepare(self, account: Account) -> None:
        shelf = self.world.store.shelf(account.sid, self.kind)
        known = {row.fields["short_code"] for row in shelf.rows}
        for address in account.numbers:
            if numbers.SHORT_CODE.fullmatch(address) and address not in known:
                fields = {"sid": fixed_sid("SC", account, address), "short_code": address, "friendly_name": address}
                self.add(account.sid, fields, at=account.created_at)

    def view(self, row: Row) -> Mapping[str, Any]:
        number = self.world.accounts.accounts[row.account_sid].numbers.get(str(row.fields["short_code"]))
        return {**row.fields, **_sender_fields(number)}

    def update(self, asked: Asked, row: Row, fields: Fields) -> None:
        super().update(asked, row, fields)
        number = asked.account.numbers.get(str(row.fields["short_code"]))
        if number is not None:
            _hand_over(fields, number)


class Pool(Behaviour):
    """The senders of a messaging service: numbers and short codes that the account has anyway."""

    def __init__(self, world: World, parts: Mapping[str, Behaviour]) -> None:
        super().__init__(world)
        self._parts = parts

    def prepare(self, account: Account) -> None:
        for part in self._parts.values():
            part.prepare(account)

    def find(self, asked: Asked, key: str) -> Row | None:
        return self._parts[asked.address.kind].find(asked, key)

    def view(self, row: Row) -> Mapping[str, Any]:
        held = {"country_code": "US", **self._parts[row.kind].view(row)}
        return {**held, "capabilities": ["Voice", "SMS", "MMS"] if row.kind == "IncomingPhoneNumbers" else ["SMS"]}

    def create(self, asked: Asked, fields: Fields) -> Row:
        (sid,) = fields.values()
        row = self.find(asked, str(sid))
        if row is None:
            raise TwilioError(20404, path=asked.path)
        sender = asked.account.numbers[_address(row)]
        if sender.service_sid is not None:
            raise TwilioError(21710)
        sender.service_sid = asked.scope["service_sid"]
        return row

    def delete(self, asked: Asked, row: Row) -> None:
        asked.account.numbers[_address(row)].service_sid = None


class Services(Behaviour):
    """Messaging services; what messages need of one is in the account."""

    kind = "Services"
    defaults: Mapping[str, Any] = {
        "sticky_sender": True,
        "mms_converter": True,
        "smart_encoding": True,
        "fallback_to_long_code": True,
        "area_code_geomatch": True,
        "scan_message_content": "inherit",
        "usecase": "undeclared",
        "validity_period": 36_000,
    }

    def prepare(self, account: Account) -> None:
        shelf = self.world.store.shelf(account.sid, self.kind)
        for sid in account.services:
            if sid not in shelf.by_key:
                self.add(account.sid, {"sid": sid, "friendly_name": sid}, at=account.created_at)

    def view(self, row: Row) -> Mapping[str, Any]:
        service = self.world.accounts.accounts[row.account_sid].services.get(row.key)
        if service is None:
            return row.fields
        return {
            **row.fields,
            "status_callback": service.status_callback,
            "inbound_request_url": service.inbound_url,
        }

    def create(self, asked: Asked, fields: Fields) -> Row:
        row = super().create(asked, fields)
        asked.account.services[row.key] = MessagingService(row.key)
        self._hand_over(asked.account, row.key, fields)
        return row

    def update(self, asked: Asked, row: Row, fields: Fields) -> None:
        super().update(asked, row, fields)
        self._hand_over(asked.account, row.key, fields)

    def delete(self, asked: Asked, row: Row) -> None:
        super().delete(asked, row)
        asked.account.services.pop(row.key, None)
        for number in asked.account.pool(row.key):
            number.service_sid = None

    def _hand_over(self, account: Account, sid: str, fields: Fields) -> None:
        service = account.services[sid]
        service.status_callback = fields.get("status_callback", service.status_callback)
        service.inbound_url = fields.get("inbound_request_url", service.inbound_url)


class AlphaSenders(Behaviour):
    kind = "AlphaSenders"
    defaults: Mapping[str, Any] = {"capabilities": ["SMS"]}

    def create(self, asked: Asked, fields: Fields) -> Row:
        if not numbers.ALPHANUMERIC.fullmatch(fields["alpha_sender"]):
            raise TwilioError(21709)
        return super().create(asked, fields)


class OutgoingCallerIds(Behaviour):
    """A number becomes a caller id when it answers the validation call."""

    kind = "OutgoingCallerIds"

    def create(self, asked: Asked, fields: Fields) -> Row:
        number = numbers.recipient(fields["phone_number"])
        if number is None:
            raise TwilioError(21401, number=fields["phone_number"])
        shelf = self.world.store.shelf(asked.account.sid, self.kind)
        if any(row.fields["phone_number"] == number and row.deleted_at is None for row in shelf.rows):
            raise TwilioError(21450)
        calls = Calls(self.world)
        call = calls.start(asked.account, number, sender="+14157234000", fields={})
        code = f"{self.world.context.dice.randrange(1_000_000):06}"
        shown = {"friendly_name": fields.get("friendly_name") or numbers.national(number), "phone_number": number}
        answered = any(status == "completed" for _, status in call.fields["_plan"])
        at = call.created_at + call.fields["_span"]
        kept = {**shown, "date_created": at, "date_updated": at, "_call_sid": call.key, "_code": code}
        row = self.add(asked.account.sid, kept, at=at)
        if not answered:
            shelf.drop(row)
        return row

    def answer_created(self, row: Row) -> Mapping[str, Any]:
        return {**row.fields, "call_sid": row.fields["_call_sid"], "validation_code": row.fields["_code"]}


@dataclass(frozen=True, slots=True)
class Country:
    """A country with numbers on sale: for each kind of number what its numbers begin with and how many digits follow."""

    name: str
    prefixes: Mapping[str, str]
    beta: bool = False


COUNTRIES: Mapping[str, Country] = {
    "US": Country("United States", {"local": "+1415555", "toll_free": "+1800555"}),
    "CA": Country("Canada", {"local": "+1416555", "toll_free": "+1888555"}),
    "GB": Country(
        "United Kingdom",
        {"local": "+442079460", "mobile": "+447700900", "toll_free": "+44808157", "national": "+443301230"},
    ),
    "AU": Country("Australia", {"local": "+61255501", "mobile": "+61491570", "toll_free": "+611800160"}),
    "DK": Country("Denmark", {"local": "+4532123", "toll_free": "+4580808"}),
}
LENGTHS = {"US": 12, "CA": 12, "GB": 13, "AU": 12, "DK": 11}
SAN_FRANCISCO: Mapping[str, Any] = {
    "lata": "722",
    "locality": "San Francisco",
    "rate_center": "SAN FRANCISCO",
    "latitude": 37.78,
    "longitude": -122.41,
    "region": "CA",
    "postal_code": "94103",
}


def on_sale(account: Account, country: str, kind: str, *, wanted: Mapping[str, str]) -> list[Fields]:
    """Return the numbers that a search finds, at most 50, none of them the account's."""
    prefix = COUNTRIES[country].prefixes.get(kind)
    if prefix is None:
        return []
    place = SAN_FRANCISCO if country == "US" and kind == "local" else {}
    found = (
        _offer(country, address, place)
        for address in _candidates(country, prefix, wanted)
        if address not in account.numbers
    )
    return list(islice((offer for offer in found if _fits(offer, wanted)), MOST_ON_SALE))


def _candidates(country: str, prefix: str, wanted: Mapping[str, str]) -> Iterator[str]:
    area = wanted.get("AreaCode")
    if area is not None and prefix.startswith("+1"):
        prefix = f"+1{area}{prefix[5:]}"
    digits = LENGTHS[country] - len(prefix)
    contains = wanted.get("Contains")
    pattern = re.compile("".join(r"\d" if sign == "*" else re.escape(sign) for sign in contains)) if contains else None
    for number in range(10**digits):
        address = f"{prefix}{number:0{digits}}"
        if pattern is None or pattern.search(address):
            yield address


def _offer(country: str, address: str, place: Mapping[str, Any]) -> Fields:
    return {
        **place,
        "address_requirements": "none",
        "beta": False,
        "capabilities": ALL_CAPABILITIES,
        "friendly_name": numbers.national(address),
        "iso_country": country,
        "phone_number": address,
    }


PLACE_FILTERS = {
    "InPostalCode": "postal_code",
    "InRegion": "region",
    "InRateCenter": "rate_center",
    "InLata": "lata",
    "InLocality": "locality",
}


def _fits(offer: Fields, wanted: Mapping[str, str]) -> bool:
    by_place = all(
        str(offer.get(name)).lower() == wanted[key].lower() for key, name in PLACE_FILTERS.items() if wanted.get(key)
    )
    able = {f"{name.capitalize()}Enabled": can for name, can in ALL_CAPABILITIES.items()}
    return by_place and all(str(can).lower() == wanted[key].lower() for key, can in able.items() if wanted.get(key))


def _bought(account: Account, given: str) -> str:
    address = numbers.recipient(given)
    if address is None or UNSALEABLE.get(address) == 21421:
        raise TwilioError(21421, number=given)
    if address in UNSALEABLE or address in account.numbers:
        raise TwilioError(21422, number=given)
    return address


def _in_area(account: Account, area: str) -> str:
    if area in EMPTY_AREAS or not re.fullmatch(r"[2-9]\d\d", area):
        raise TwilioError(EMPTY_AREAS.get(area, 21451), area=area)
    return str(on_sale(account, "US", "local", wanted={"AreaCode": area})[0]["phone_number"])


def kind_of_number(address: str) -> str:
    if TOLL_FREE.match(address):
        return "toll-free"
    return "mobile" if BRITISH_MOBILE.match(address) else "local"


def fixed_sid(prefix: str, account: Account, address: str) -> str:
    """Return the same id for the same number each time."""
    return prefix + hashlib.sha256(f"{account.sid} {address}".encode()).hexdigest()[:32]


def _sender_fields(number: Number | None) -> Fields:
    if number is None:
        return {}
    return {"sms_url": number.sms_url, "sms_method": number.sms_method, "service_sid": number.service_sid}


def _hand_over(fields: Fields, number: Number) -> None:
    """Tell the sender what messages need to know."""
    number.sms_url = fields.get("sms_url", number.sms_url)
    number.sms_method = fields.get("sms_method") or number.sms_method


def _address(row: Row) -> str:
    return str(row.fields.get("phone_number") or row.fields["short_code"])
