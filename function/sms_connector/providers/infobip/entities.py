"""Infobip's data as entities: the logs, by filters and cursors, and scheduled bulks by their ids.

`entities.json` is the catalogue; its `about` names its source and what was left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
from msgspec.structs import astuple

from sms_connector.entity import EntitySource, EntityType, Narrowing, Row, RowPage
from sms_connector.errors import NotFound, NotSent, OutcomeUnknown, ProviderRefused
from sms_connector.providers.catalogue import RowReader, filter_parameters, read_types
from sms_connector.providers.common import decode, read_time
from sms_connector.providers.infobip import statuses, wire
from sms_connector.providers.infobip.wire import NAME
from sms_connector.transport.http import HttpResponse

CATALOGUE = Path(__file__).with_name("entities.json")
# The most characters of an id (POST /sms/3/messages). A comma separates ids in a query.
_LONGEST_ID = {"messageId": 200, "bulkId": 100}
_CURSOR = re.compile(r"[!-~]{1,600}")
_LIST = [("limit", str(wire.LOGS_PER_CALL)), ("useCursor", "true")]
_MILLISECOND = timedelta(milliseconds=1)
_EARLIEST, _LATEST = (moment.replace(tzinfo=UTC) for moment in (datetime.min, datetime.max))

Query = Sequence[tuple[str, str]]


class Call(Protocol):
    """Calls Infobip. Raises what `wire.checked` raises."""

    def __call__(
        self, method: str, path: str, body: bytes | None = None, *, repeatable: bool = True
    ) -> HttpResponse: ...


class InfobipEntities(EntitySource):
    def __init__(self, call: Call) -> None:
        self._call = call
        self.types = {each.name: each for each in read_types(CATALOGUE)}
        self._readers = {
            name: RowReader(each.readable, _read_date, list_key=each.list_key or "", beside=("cursor",))
            for name, each in self.types.items()
        }

    def list_rows(
        self,
        entity: EntityType,
        *,
        within: Mapping[str, str],  # noqa: ARG002 - no list stands within another
        narrowed: Sequence[Narrowing] = (),
        page: str | None = None,
    ) -> RowPage:
        query = filter_parameters(entity, narrowed, _write_border)
        return self._list(entity, [*query, *([("cursor", page)] if page else [])])

    def get(self, entity: EntityType, key: Mapping[str, str]) -> Row | None:
        query = _name_one(entity, key)
        if query is None:
            return None
        try:
            if entity.list_key:
                return next(iter(self._list(entity, query).rows), None)
            reader = self._readers[entity.name]
            return reader.read(self._read(reader.document, entity.operations["GET"].path, query), key)
        except ProviderRefused as error:
            if error.status == 404:
                return None
            raise

    def update(self, entity: EntityType, key: Mapping[str, str], values: Mapping[str, Any]) -> Mapping[str, Any]:
        query, endpoint = _name_one(entity, key), entity.operations["UPDATE"]
        if query is None:
            raise NotFound(
                f"no {entity.name} {key[entity.key[0]][:80]!r}; an id has 1 to "
                f"{_LONGEST_ID[str(entity.key_parameter)]} characters and no comma"
            )
        response = self._call(
            endpoint.method, f"{endpoint.path}?{urlencode(query)}", _body(entity, values), repeatable=False
        )
        reader = self._readers[entity.name]
        document = decode(reader.document, response.body)
        if document is None:
            raise OutcomeUnknown(f"{NAME} answered {response.status} with a body that can't be read")
        known = entity.fields_of(reader.read(document, key)) | dict(key)
        return {name: known[name] for name in entity.update_answer}

    def _list(self, entity: EntityType, query: Query) -> RowPage:
        reader = self._readers[entity.name]
        found, cursor = astuple(self._read(reader.page, entity.operations["LIST"].path, [*query, *_LIST]))
        if found is None:
            raise NotSent(f"{NAME}'s list of {entity.name} has no {entity.list_key!r}; it can't be read")
        rows = [reader.read(each, {}) for each in found]
        return RowPage(
            [row for row in rows if not _is_repetition(entity.fields_of(row))], _next_page(cursor) if found else None
        )

    def _read(self, decoder: msgspec.json.Decoder[Any], path: str, query: Query) -> Any:
        document = decode(decoder, self._call("GET", f"{path}?{urlencode(query)}").body)
        if document is None:
            raise NotSent(f"{NAME}'s answer to GET {path} can't be read")
        return document


# --- out --------------------------------------------------------------------------------------------------------------


def _name_one(entity: EntityType, key: Mapping[str, str]) -> Query | None:
    """Return the parameter that names an entity; None for a value that can't be an id, so that no call is made."""
    parameter, value = str(entity.key_parameter), key[entity.key[0]]
    return [(parameter, value)] if 0 < len(value) <= _LONGEST_ID[parameter] and "," not in value else None


def _write_border(value: datetime, op: str) -> str:
    """Return the date, moved outwards by a millisecond: Infobip's description says "after" and "before", and leaves
    open whether a message of exactly that time is included."""
    return wire.write_time(
        min(value, _LATEST - _MILLISECOND) + _MILLISECOND
        if op == "<="
        else max(value, _EARLIEST + _MILLISECOND) - _MILLISECOND
    )


def _body(entity: EntityType, values: Mapping[str, Any]) -> bytes:
    changes = [(entity.by_name[name], value) for name, value in values.items()]
    return msgspec.json.encode(
        {column.update.parameter: _write(column.type, value) for column, value in changes if column.update}
    )


def _write(kind: str, value: Any) -> Any:
    moment = read_time(str(value).upper()) if kind == "TIMESTAMP" else None
    return wire.write_time(moment) if moment else value


# --- in ---------------------------------------------------------------------------------------------------------------


def _is_repetition(log: Mapping[str, Any]) -> bool:
    """Return whether a log reports a refusal because the id was used before. It would be a second row with the key of
    the message that was sent."""
    return statuses.is_duplicate(log["StatusId"], log["Status"])


def _next_page(cursor: Any) -> str | None:
    following = cursor.get("nextCursor") if isinstance(cursor, dict) else None
    if not following:
        return None
    if not isinstance(following, str) or not _CURSOR.fullmatch(following):
        raise NotSent(f"{NAME}'s list names a next page that can't be followed")
    return following


def _read_date(value: Any) -> str:
    return _read_time_text(str(value))


@lru_cache(maxsize=4096)
def _read_time_text(text: str) -> str:
    """Return `2026-07-06T12:00:00.000Z`: two messages of one second have an order."""
    moment = read_time(text)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else text
