"""Addresses of recipients and senders.

Numbers are taken as people type them (`number_text`) and used in E.164 form, in the spelling that is dialled today
(`number_spellings`). A national form is read by a country that the caller names, never by a guess. What would have to
lose anything but separators is refused; the error names the form that was probably meant only where no digit is lost.

Numbers must be *possible* (their length fits their country code), not *valid* (in an assigned block): blocks are
assigned faster than libraries are updated, and Twilio's test numbers (+1 500 555 …) and fictional ones are in none.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from sms_connector.errors import ErrorKind, FieldProblem
from sms_connector.model.invalid_value import InvalidValueError, quote
from sms_connector.model.number_spellings import dialled_spelling
from sms_connector.model.number_text import compact, find_damage, has_optional_trunk


class SenderKind(StrEnum):
    """Kinds of senders; throughput, replies and rules depend on them."""

    LONG_CODE = "long_code"
    TOLL_FREE = "toll_free"
    SHORT_CODE = "short_code"
    ALPHANUMERIC = "alphanumeric"
    POOL = "pool"
    CHANNEL = "channel"


_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_CHANNEL_ID = re.compile(r"[A-Za-z0-9._@-]{1,64}")

# Channel: (form of a recipient, form of a sender). WhatsApp's numbers are WhatsApp's own: a Mexican one keeps the
# 1 after +52 that the numbering plan gave up, so their length is not checked against the plan.
_CHANNELS = {"whatsapp": (_E164, _E164), "rcs": (_E164, _CHANNEL_ID), "messenger": (_CHANNEL_ID, _CHANNEL_ID)}
CHANNELS = frozenset(_CHANNELS)
_NUMBER_CHANNELS = {channel for channel, (recipient, _) in _CHANNELS.items() if recipient is _E164} | {"sms", "tel"}
_LONGEST_SHORT_CODE = 8

# The forms that need no look into a numbering plan. An alphanumeric id has at most 11 characters (3GPP TS 23.040,
# 9.1.2.5: what fits the address field in GSM-7), of the set Twilio and Azure take. Pools are Twilio's messaging
# services.
_SENDER_FORMS = {
    SenderKind.POOL: re.compile(r"MG[0-9a-fA-F]{32}"),
    SenderKind.SHORT_CODE: re.compile(r"[0-9]{3,8}"),
    SenderKind.ALPHANUMERIC: re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_&-](?:[A-Za-z0-9 +_&-]{0,9}[A-Za-z0-9+_&-])?"),
}
_SENDER_FIX = (
    "write a number in E.164 form (+15558675310), a short code of 3 to 8 digits, an alphanumeric id (at most 11 "
    "letters, digits, spaces and + - _ &, at least one of them a letter) or a channel address (whatsapp:+15558675310)"
)


class Sender(msgspec.Struct, frozen=True):
    """The sender of messages; with `name` and the rest where the connection lists it (`senders`)."""

    address: str
    kind: SenderKind
    name: str | None = None
    business_unit: str | None = None
    countries: tuple[str, ...] = ()
    default: bool = False


class NumberError(InvalidValueError):
    """The text is not a recipient (INVALID_RECIPIENT) or sender (INVALID_SENDER); the message says what to write."""

    def __init__(self, message: str, *, kind: ErrorKind = ErrorKind.INVALID_RECIPIENT) -> None:
        super().__init__(FieldProblem("", message, kind))


class Recipient(msgspec.Struct, frozen=True):
    """An address as it is used. `country`: the default country that a number without its country code was read by."""

    address: str
    country: str | None = None


class _Reading(msgspec.Struct, frozen=True):
    """How a number is read: `country` for national forms, `likely_region` only to name the likely form in an error."""

    kind: ErrorKind
    country: str | None = None
    likely_region: str | None = None


def parse_recipient(text: str, *, country: str | None = None) -> str:
    """Return the address that `text` is read as; see `read_recipient`."""
    return read_recipient(text, country=country).address


def read_recipient(text: str, *, country: str | None = None, likely_region: str | None = None) -> Recipient:
    """Read a number as people type it, or a channel address (`whatsapp:+15558675310`).

    `country` (`"DE"`, see `parse_country`) reads national forms; `likely_region` only helps an error to name the likely
    form. Raises NumberError.
    """
    from sms_connector.model.numbering_plan import find_problem

    # The common case first: a campaign reads a million records.
    if _E164.fullmatch(text) and dialled_spelling(text) == text and find_problem(text) is None:
        return Recipient(text)
    reading = _Reading(ErrorKind.INVALID_RECIPIENT, country, likely_region)
    forms = _find_channel(text)
    return _read_channel(text, forms[0], reading) if forms else _read_number(text, reading)


def parse_country(text: str) -> str:
    """Return the country (ISO 3166, `"DE"`) that national numbers are read by. Raises InvalidValueError."""
    from sms_connector.model import numbering_plan

    country = text.strip().upper()
    if numbering_plan.is_region(country):
        return country
    fix = "write GB" if country == "UK" else "write its two letters of ISO 3166, such as DE"
    raise InvalidValueError(FieldProblem("", f"{quote(text)} is not a country with a numbering plan; {fix}"))


def find_number(address: str) -> str | None:
    """Return the number, in E.164 form, that an address holds in whatever channel and with whatever separators; None
    without one.

    Networks and channels give international numbers, some without their `+`; up to 8 digits are a short code.
    """
    if _E164.fullmatch(address):
        return address
    channel, colon, rest = address.partition(":")
    text = rest if colon and channel.strip().lower() in _NUMBER_CHANNELS else address
    number = compact(text)
    if number is None:
        return None
    if not number.startswith("+"):
        digits = number.removeprefix("00")
        number = f"+{digits}" if len(number) > _LONGEST_SHORT_CODE else ""
    return number if _E164.fullmatch(number) else None


def parse_sender(text: str, *, country: str | None = None) -> Sender:
    """Read a sender: a number as people type it, a short code, an alphanumeric id, a channel address, a pool.

    Raises NumberError.
    """
    reading = _Reading(ErrorKind.INVALID_SENDER, country)
    forms = _find_channel(text)
    if forms:
        return Sender(_read_channel(text, forms[1], reading).address, SenderKind.CHANNEL)
    for kind, form in _SENDER_FORMS.items():
        if form.fullmatch(text):
            return Sender(text, kind)
    if not _looks_like_number(text):
        raise NumberError(f"{quote(text)} is not a sender; {_SENDER_FIX}", kind=ErrorKind.INVALID_SENDER)
    from sms_connector.model import numbering_plan

    number = _read_number(text, reading).address
    return Sender(number, SenderKind.TOLL_FREE if numbering_plan.is_toll_free(number) else SenderKind.LONG_CODE)


def kind_of(address: str) -> SenderKind | None:
    """Return which kind of sender one of our addresses is; None for what is none."""
    try:
        return parse_sender(address).kind
    except NumberError:
        return None


def region_of(address: str) -> str | None:
    """Return the region (`"DE"`) of a number in E.164 form, alone or in a channel address; None where there is none."""
    number = address.rpartition(":")[2]
    if not _E164.fullmatch(number):
        return None
    from sms_connector.model import numbering_plan

    return numbering_plan.find_region(number)


def _find_channel(text: str) -> tuple[re.Pattern[str], re.Pattern[str]] | None:
    """Find the forms, also for `WhatsApp:`: to name the bare number as the right form would change the channel."""
    channel, colon, _ = text.partition(":")
    return _CHANNELS.get(channel.lower()) if colon else None


def _read_channel(text: str, form: re.Pattern[str], reading: _Reading) -> Recipient:
    """Read a channel address. The spelling of a number stays as it is: a channel's numbers are its own."""
    written, _, address = text.partition(":")
    channel, country = written.lower(), None
    if form is _E164 and not form.fullmatch(address):
        address, country = _read_e164(address, reading.country) or (address, None)
    fits = form.fullmatch(address)
    if fits and written == channel:
        return Recipient(f"{channel}:{address}", country)
    example = "+15558675310" if form is _E164 else " and an id of letters, digits and . _ @ -"
    wanted = address if fits else example
    raise NumberError(f"{quote(text)} is not an address of {channel}; write {channel}:{wanted}", kind=reading.kind)


def _read_number(text: str, reading: _Reading) -> Recipient:
    from sms_connector.model.numbering_plan import find_problem, suggest_form

    number, country = (text, None) if _E164.fullmatch(text) else _read_e164(text, reading.country) or ("", None)
    if not _E164.fullmatch(number):
        fix = find_damage(text) or suggest_form(compact(text) or "", region=reading.country or reading.likely_region)
        subject = quote(text) if find_damage(text) else f"{quote(text)} is not a phone number in E.164 form;"
        raise NumberError(f"{subject} {fix}", kind=reading.kind)
    number = dialled_spelling(number)
    problem_text = find_problem(number)
    if problem_text:
        raise NumberError(f"{quote(text)} {problem_text}", kind=reading.kind)
    return Recipient(number, country)


def _read_e164(text: str, country: str | None) -> tuple[str, str | None] | None:
    """Return the number, and the country by which it was read; None where it can't be read without a guess."""
    from sms_connector.model import numbering_plan

    number = compact(text)
    if number is None:
        return None
    if number.startswith("+"):
        return numbering_plan.drop_trunk_prefix(number) if has_optional_trunk(text) else number, None
    national = numbering_plan.read_national(number, country) if country else None
    return (national, country) if national else None


def _looks_like_number(text: str) -> bool:
    return text.startswith("+") or sum(c.isdecimal() for c in text) > len(text) // 2
