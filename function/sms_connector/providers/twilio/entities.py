"""Twilio's data as entities: the catalogue, pages and filters, dates and numbers of the REST API.

`entities.json` is the catalogue, checked against Twilio's OpenAPI documents (github.com/twilio/twilio-oai,
twilio_api_v2010.json and twilio_messaging_v1.json); its `about` says how columns are named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import msgspec
from msgspec.structs import astuple, replace

from sms_connector.entity import (
    KEY_SEPARATOR,
    Action,
    Change,
    Column,
    Endpoint,
    EntitySource,
    EntityType,
    Narrowing,
    Operation,
    Parent,
    Row,
    RowPage,
)
from sms_connector.errors import NotFound, NotSent, ProviderRefused
from sms_connector.providers.catalogue import RowReader, filter_parameters, read_types, write_value
from sms_connector.providers.twilio import wire
from sms_connector.transport.http import HttpResponse

API_HOST, MESSAGING_HOST = "api.twilio.com", "messaging.twilio.com"
CATALOGUE = Path(__file__).with_name("entities.json")
MESSAGES = "Messages"
# What of a message's columns a send of ours can carry.
_SEND_FIELDS = {
    "To": "to",
    "Sender": "sender",
    "MessagingServiceSid": "sender",
    "Body": "message",
    "MediaUrl": "mediaUrls",
    "ValidityPeriod": "validitySeconds",
    "SendAt": "sendAt",
}
# https://www.twilio.com/docs/messaging/api/message-resource#update-a-message-resource
_MESSAGE_UPDATES = {"Body": ("",), "Status": ("canceled",)}
_ACTIONS = (
    Action(
        "SendMessage",
        "Send a message; the connector keeps it from being sent twice",
        MESSAGES,
        "CREATE",
        inputs=tuple(_SEND_FIELDS),
        results=("Sid", "Status", "MessageId"),
    ),
    Action(
        "CancelMessage",
        "Cancel a scheduled message",
        MESSAGES,
        "UPDATE",
        ("Sid",),
        ("Sid", "Status"),
        {"Status": "canceled"},
    ),
    Action("RedactMessage", "Delete a message's text", MESSAGES, "UPDATE", ("Sid",), ("Sid", "Status"), {"Body": ""}),
    Action(
        "AddOutgoingCallerIds",
        "Call a number and give the code that its owner has to enter, so that it may be shown as caller",
        "OutgoingCallerIds",
        "CREATE",
        inputs=("PhoneNumber", "Name", "CallDelay", "Extension"),
        results=("ValidationCode", "CallSid"),
    ),
)
_ACCOUNT = "AccountSid"
_PATH_VALUE = re.compile(r"[A-Za-z0-9_+-]{1,100}")
_HEX = "[0-9a-fA-F]{32}"
_PAGE = re.compile(r"([0-9]{1,9})~([!-}]{0,600})")
_PLACE = re.compile(r"{(\w+)}")
_MONTH_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_MONTHS = {name: f"{number:02}" for number, name in enumerate(_MONTH_NAMES.split(), 1)}


class Call(Protocol):
    """Calls Twilio. `address` makes the URL of the account's SID."""

    def __call__(
        self, method: str, address: Callable[[str], str], form: bytes | None = None, *, repeatable: bool
    ) -> HttpResponse: ...


class TwilioEntities(EntitySource):
    """`hosts` are the base URLs of Twilio's hosts; the entity types of others are left out."""

    message_type = MESSAGES
    actions = _ACTIONS

    def __init__(self, call: Call, hosts: Mapping[str, str]) -> None:
        self._call = call
        self._hosts = hosts
        self.types = {each.name: each for each in read_catalogue() if each.host in hosts}
        self._reader = cache(lambda name: _make_reader(self.types[name]))

    def list_rows(
        self,
        entity: EntityType,
        *,
        within: Mapping[str, str],
        narrowed: Sequence[Narrowing] = (),
        page: str | None = None,
    ) -> RowPage:
        endpoint = entity.operations["LIST"]
        defaults = {parent.column: parent.default for parent in entity.parents if parent.default is not None}
        values = {**defaults, **within}
        address = self._address(entity, endpoint, values)
        if address is None or any(
            parent.values and values[parent.column] not in parent.values for parent in entity.parents
        ):
            return RowPage([])
        query = [*filter_parameters(entity, narrowed, _write_day), *_paging(page)]
        reader = self._reader(entity.name)
        if endpoint.single:
            return RowPage([reader.read(self._read(reader.document, address), values)])
        document = self._read(reader.page, lambda account: f"{address(account)}?{urlencode(query)}")
        found, meta, next_page_uri = astuple(document)
        if found is None:
            raise NotSent(f"Twilio's list of {entity.name} has no {entity.list_key!r}; it can't be read")
        following = meta.get("next_page_url") if isinstance(meta, dict) else next_page_uri
        return RowPage([reader.read(each, values) for each in found], _read_next_page(following))

    def get(self, entity: EntityType, key: Mapping[str, str]) -> Row | None:
        address = self._address(entity, entity.operations["GET"], key)
        if address is None:
            return None
        try:
            reader = self._reader(entity.name)
            return reader.read(self._read(reader.document, address), key)
        except ProviderRefused as error:
            if error.status == 404 and not entity.withdrawn:
                return None
            raise

    def create(self, entity: EntityType, values: Mapping[str, Any]) -> Mapping[str, Any]:
        in_path = [each for each in entity.columns if each.create is not None and each.create.place == "path"]
        path = {each.name: str(values[each.name]) for each in in_path if each.name in values}
        form = _form(entity, values, lambda column: column.create)
        return self._write(entity, "CREATE", form, path)

    def update(self, entity: EntityType, key: Mapping[str, str], values: Mapping[str, Any]) -> Mapping[str, Any]:
        form = _form(entity, values, lambda column: column.update)
        return self._write(entity, "UPDATE", form, key)

    def delete(self, entity: EntityType, key: Mapping[str, str]) -> None:
        endpoint = entity.operations["DELETE"]
        response = self._call(endpoint.method, self._required(entity, endpoint, key), repeatable=False)
        if not 200 <= response.status < 300:
            wire.raise_for(response, repeatable=False)

    def _read(self, decoder: msgspec.json.Decoder[Any], address: Callable[[str], str]) -> Any:
        return wire.decode(decoder, self._call("GET", address, repeatable=True), repeatable=True)

    def _write(
        self,
        entity: EntityType,
        operation: Operation,
        form: bytes,
        known: Mapping[str, str],
    ) -> dict[str, Any]:
        """Return the columns of an answer, some of which no row has."""
        names = entity.create_answer if operation == "CREATE" else entity.update_answer
        endpoint = entity.operations[operation]
        absent = [name for name in names if name not in known]
        columns = [entity.by_name.get(name) or Column(name, "VARCHAR", _snake_case(name)) for name in absent]
        reader = RowReader(columns, _read_date)
        response = self._call(endpoint.method, self._required(entity, endpoint, known), form, repeatable=False)
        row = reader.read(wire.decode(reader.document, response, repeatable=False), known)
        answered = {**known, **dict(zip(absent, row, strict=True))}
        return {name: answered[name] for name in names}

    def _required(self, entity: EntityType, endpoint: Endpoint, values: Mapping[str, str]) -> Callable[[str], str]:
        address = self._address(entity, endpoint, values)
        if address is None:
            shown = KEY_SEPARATOR.join(values.get(name, "") for name in entity.key)
            raise NotFound(f"no {entity.name} {shown[:80]!r}; {_describe_id(entity)}")
        return address

    def _address(
        self, entity: EntityType, endpoint: Endpoint, values: Mapping[str, str]
    ) -> Callable[[str], str] | None:
        """Return the URL for an account; None where a value can't be one of Twilio's, so that no call is needed."""
        named = dict(values) | {parent.parameter: values.get(parent.column, "") for parent in entity.parents}
        key = entity.key_parameter or (entity.key[-1] if entity.key else None)
        if key is not None and entity.key:
            named[key] = values.get(entity.key[-1], "")
        own = set(_PLACE.findall(endpoint.path)) - {_ACCOUNT}
        forms = {key: f"(?:{'|'.join(entity.sid_prefixes)}){_HEX}"} if entity.sid_prefixes and key in own else {}
        for name in own:
            blank = not named.get(name) and any(
                parent.parameter == name and parent.default == "" for parent in entity.parents
            )
            if not blank and not re.fullmatch(forms.get(name, _PATH_VALUE.pattern), named.get(name, "")):
                return None
        account = named.get(_ACCOUNT)
        if account and not re.fullmatch(f"AC{_HEX}", account):
            return None
        base = self._hosts[entity.host]

        def address(own_account: str) -> str:
            filled = {**named, _ACCOUNT: account or own_account}
            path = _PLACE.sub(lambda match: quote(filled[match[1]], safe=""), endpoint.path)
            return base + path.replace("/.json", ".json")

        return address


def read_catalogue() -> list[EntityType]:
    """Return the entity types of the file as the connector offers them."""
    return [_adapt(each) for each in read_types(CATALOGUE)]


def _make_reader(entity: EntityType) -> RowReader:
    return RowReader(entity.readable, _read_date, list_key=entity.list_key or "", beside=("meta", "next_page_uri"))


def _adapt(entity: EntityType) -> EntityType:
    """Let AccountSid choose a sub-account, and a message be what the connector sends."""
    listed = entity.operations.get("LIST")
    if listed and f"{{{_ACCOUNT}}}" in listed.path and _ACCOUNT in entity.by_name and _ACCOUNT not in entity.key:
        entity = replace(entity, parents=(*entity.parents, Parent(_ACCOUNT, _ACCOUNT)))
    if entity.name != MESSAGES:
        return entity
    columns = [_adapt_message_column(column) for column in entity.columns]
    return replace(
        entity,
        columns=tuple(column for column in columns if not column.write_only or column.create),
        send_fields=_SEND_FIELDS,
        create_rules=(("Body", "MediaUrl"),),  # the connection may have a sender
        risk={},
    )


def _adapt_message_column(column: Column) -> Column:
    create = column.create if column.name in _SEND_FIELDS else None
    update = replace(column.update, only=_MESSAGE_UPDATES[column.name]) if column.update else None
    return replace(column, create=create, update=update)


def _describe_id(entity: EntityType) -> str:
    own = f"{' or '.join(entity.sid_prefixes)} and 32 hexadecimal digits" if entity.sid_prefixes else entity.key[-1]
    return f"the id is {KEY_SEPARATOR.join((*entity.key[:-1], own))}"


# --- out --------------------------------------------------------------------------------------------------------------


def _paging(page: str | None) -> list[tuple[str, str]]:
    size = [("PageSize", str(wire.PAGE_SIZE))]
    if not page:
        return size
    match = _PAGE.fullmatch(page)
    if match is None:
        raise NotFound("the page is none of this list; begin again without a page token")
    return [*size, ("Page", match[1]), ("PageToken", match[2])]


def _write_day(value: datetime, op: str) -> str:
    """Return a date's day: Twilio's resources differ in whether `<` has the day itself, so that for `<=` the following
    one is given."""
    later = timedelta(days=1 if op == "<=" and value.date() < datetime.max.date() else 0)
    return (value.astimezone(UTC).date() + later).isoformat()


def _form(entity: EntityType, values: Mapping[str, Any], change_of: Callable[[Column], Change | None]) -> bytes:
    """Return the form of a create or an update; null is an empty value, which clears."""
    pairs = []
    for name, value in values.items():
        change = change_of(entity.by_name[name])
        if change is not None and change.place == "form":
            items = value if isinstance(value, list) else [value]
            pairs += [(change.parameter, write_value(item)) for item in items]
    return urlencode(pairs).encode("ascii")


# --- in ---------------------------------------------------------------------------------------------------------------


def _read_next_page(address: Any) -> str | None:
    """Return the next page's number and token. No address of an answer is ever followed."""
    if not isinstance(address, str) or not address:
        return None
    query = parse_qs(urlsplit(address).query, keep_blank_values=True)
    page = f"{query.get('Page', ['0'])[0]}~{query.get('PageToken', [''])[0]}"
    if not _PAGE.fullmatch(page):
        raise NotSent("Twilio's list names a next page that can't be followed")
    return page


@lru_cache(maxsize=4096)
def _read_date(value: Any) -> str:
    """Return `2026-07-06T12:00:00Z` of `Mon, 06 Jul 2026 12:00:00 +0000` (RFC 2822), cut by position: it is most of the
    time that a row takes."""
    text = str(value)
    if len(text) == 31 and text.endswith(" +0000") and text[8:11] in _MONTHS:
        return f"{text[12:16]}-{_MONTHS[text[8:11]]}-{text[5:7]}T{text[17:25]}Z"
    moment = wire.read_time(text)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else text


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
