"""Read SMS_SENDERS: a JSON array of senders. Every problem is reported with the sender's index and its field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from sms_connector.errors import FieldProblem
from sms_connector.model.invalid_value import InvalidValueError, quote
from sms_connector.model.phone_number import Sender, SenderKind, parse_country, parse_sender
from sms_connector.model.senders import channel_of, fold_name, is_refused

EXAMPLE: Final = '[{"address": "+15551234567", "name": "Orders", "countries": ["US"], "default": true}]'
MOST_CHARACTERS: Final = 100


def read_senders(raw: str) -> tuple[Sender, ...]:
    """Raises InvalidValueError with every problem; its `field` begins with the index (`[1].countries[0]`)."""
    try:
        document = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        document = None
    if not isinstance(document, list):
        raise InvalidValueError(FieldProblem("", f"it has to be a JSON array of objects, such as {EXAMPLE}"))
    problems: list[FieldProblem] = []
    senders = [_read_sender(entry, f"[{index}]", problems) for index, entry in enumerate(document)]
    problems += _find_conflicts(senders)
    if problems:
        raise InvalidValueError(*problems)
    return tuple(sender for sender in senders if sender is not None)


def _read_sender(entry: Any, place: str, problems: list[FieldProblem]) -> Sender | None:
    """Return the sender, as far as it can be read: other problems are found too."""
    if not isinstance(entry, dict):
        problems.append(FieldProblem(place, f"it has to be an object, such as {EXAMPLE[1:-1]}"))
        return None
    problems += [
        FieldProblem(f"{place}.{name[:40]}", f"unknown field; a sender has {', '.join(FIELDS)}")
        for name in sorted(entry.keys() - FIELDS.keys())
    ]
    if "address" not in entry:
        problems.append(FieldProblem(f"{place}.address", "is missing; write the sender's number, code or id"))
    read: dict[str, Any] = {}
    for name, reader in FIELDS.items():
        if name not in entry:
            continue
        try:
            read[name] = reader(entry[name])
        except InvalidValueError as error:
            problems += [replace(each, field=f"{place}.{name}{each.field}") for each in error.problems]
    if "address" not in read:
        return None
    address: Sender = read["address"]
    sender = Sender(
        address.address,
        address.kind,
        name=read.get("name"),
        business_unit=read.get("businessUnit"),
        countries=read.get("countries", ()),
        default=read.get("default", False),
    )
    kind = read.get("kind", sender.kind)
    if kind is not sender.kind:
        problems.append(FieldProblem(f"{place}.kind", f"the address is {sender.kind}, not {kind}; leave it out"))
    problems += [
        FieldProblem(f"{place}.countries[{index}]", f"{country} takes no alphanumeric sender; leave it out")
        for index, country in enumerate(sender.countries)
        if is_refused(sender.kind, country)
    ]
    return sender


def _find_conflicts(senders: Sequence[Sender | None]) -> list[FieldProblem]:
    """Find what only one sender may have: an address, a name, being the default of its channel."""
    addresses: dict[str, int] = {}
    names: dict[str, int] = {}
    defaults: dict[str, int] = {}
    problems: list[FieldProblem] = []
    known = [(index, sender) for index, sender in enumerate(senders) if sender is not None]
    for index, sender in known:
        if (first := addresses.setdefault(sender.address, index)) != index:
            problems.append(FieldProblem(f"[{index}].address", f"is that of SMS_SENDERS[{first}] too; keep one"))
        if sender.name is not None and (first := names.setdefault(fold_name(sender.name), index)) != index:
            problems.append(FieldProblem(f"[{index}].name", f"is that of SMS_SENDERS[{first}] too; choose another"))
        if sender.default and (first := defaults.setdefault(channel_of(sender), index)) != index:
            problems.append(FieldProblem(f"[{index}].default", f"SMS_SENDERS[{first}] is the default; keep one"))
    of_address = {fold_name(sender.address): index for index, sender in known}
    for index, sender in known:
        other = of_address.get(fold_name(sender.name)) if sender.name is not None else None
        if other not in (None, index):
            problems.append(FieldProblem(f"[{index}].name", f"is the address of SMS_SENDERS[{other}]; choose another"))
    return problems


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_CHARACTERS or not value.isprintable():
        raise _problem(f"it has to be text of 1 to {MOST_CHARACTERS} printable characters")
    return value.strip()


def _address(value: Any) -> Sender:
    if not isinstance(value, str):
        raise _problem("it has to be text, in quotes")
    return parse_sender(value)


def _kind(value: Any) -> SenderKind:
    try:
        return SenderKind(value)
    except ValueError:
        shown = quote(value) if isinstance(value, str) else "it"
        raise _problem(f"{shown} is not one of {', '.join(SenderKind)}") from None


def _countries(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _problem('it has to be an array of countries, such as ["US", "CA"]')
    countries: list[str] = []
    problems: list[FieldProblem] = []
    for index, country in enumerate(value):
        try:
            countries.append(parse_country(country if isinstance(country, str) else str(country)))
        except InvalidValueError as error:
            problems += [replace(each, field=f"[{index}]") for each in error.problems]
    if problems:
        raise InvalidValueError(*problems)
    return tuple(countries)


def _default(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _problem("it has to be true or false, without quotes")
    return value


def _problem(message: str) -> InvalidValueError:
    return InvalidValueError(FieldProblem("", message))


FIELDS: Final[dict[str, Callable[[Any], Any]]] = {
    "address": _address,
    "name": _text,
    "businessUnit": _text,
    "kind": _kind,
    "countries": _countries,
    "default": _default,
}
