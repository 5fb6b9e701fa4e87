"""How the ledger's documents and queries look in Firestore.

    messages/msg_1
        to: "+15558675310"                  the collection's indexed fields, where the document has them
        createdAt: 1795377746.2
        expiresAt: timestamp                the field of the collection's TTL policy
        document:                           a map, so that one exemption from indexing holds for both
            data: bytes                     the whole document as JSON, gzip above GZIP_BYTES
            commit: "9f0c…"                 who wrote it: tells a repeated commit from a lost race (see `ledger`)

`document` and `expiresAt` have to be exempt from indexing, as no query uses them: infra declares it so.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from google.cloud.firestore_v1.types import ArrayValue, Cursor, MapValue, StructuredQuery, Value
from google.cloud.firestore_v1.types import Document as Stored
from google.cloud.firestore_v1.types import Write as StoredWrite
from google.cloud.firestore_v1.types.common import Precondition
from google.protobuf.timestamp_pb2 import Timestamp

from sms_connector.ports import (
    MAX_DOCUMENT_BYTES,
    Absent,
    Document,
    Query,
    Scalar,
    Version,
    Write,
    expiry,
    indexed_values,
)

GZIP_BYTES = 2_000
GZIP_MAGIC = b"\x1f\x8b"
ID = "__name__"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_Filter = StructuredQuery.Filter
_FieldFilter = StructuredQuery.FieldFilter
_OPERATORS = {
    "==": _FieldFilter.Operator.EQUAL,
    "<": _FieldFilter.Operator.LESS_THAN,
    "<=": _FieldFilter.Operator.LESS_THAN_OR_EQUAL,
    ">": _FieldFilter.Operator.GREATER_THAN,
    ">=": _FieldFilter.Operator.GREATER_THAN_OR_EQUAL,
    "contains": _FieldFilter.Operator.ARRAY_CONTAINS,
}


def stored_write(name: str, write: Write, *, token: str, expect: Precondition | None) -> StoredWrite:
    """Return the write of the document of that full name."""
    if write.data is None:
        return StoredWrite(delete=name, current_document=expect)
    document = {"data": Value(bytes_value=_packed(write)), "commit": Value(string_value=token)}
    fields = {"document": Value(map_value=MapValue(fields=document))}
    fields |= {key: value_of(value) for key, value in indexed_values(write) if value is not None}
    expires = expiry(write)
    if expires is not None:
        fields["expiresAt"] = time_of(expires)
    return StoredWrite(update=Stored(name=name, fields=fields), current_document=expect)


def document_of(stored: Stored) -> Document:
    data = _held(stored)["data"].bytes_value
    return Document(stored.name.rpartition("/")[2], _decode(_unpacked(data)), version_of(stored))


def token_of(stored: Stored) -> str:
    token: str = _held(stored)["commit"].string_value
    return token


def _held(stored: Stored) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = Stored.pb(stored).fields["document"].map_value.fields
    return fields


def has_expired(stored: Stored, *, now: float) -> bool:
    """Return whether it is absent to us: Firestore deletes an expired document within a day or so."""
    fields = Stored.pb(stored).fields
    return "expiresAt" in fields and bool(fields["expiresAt"].timestamp_value.ToMicroseconds() <= now * 1e6)


def version_of(stored: Stored) -> str:
    return version_at(Stored.pb(stored).update_time)


def version_at(time: Timestamp) -> str:
    """Return a document's version: the time of its last commit, to the nanosecond."""
    return f"{time.seconds}.{time.nanos:09}"


def precondition_of(expect: Version | Absent | None) -> Precondition | None:
    if expect is None:
        return None
    if isinstance(expect, Absent):
        return Precondition(exists=False)
    seconds, _, nanos = str(expect).partition(".")
    return Precondition(update_time={"seconds": int(seconds), "nanos": int(nanos)})


def structured_query(query: Query, *, parent: str, paged: bool) -> StructuredQuery:
    """Return the query, with its order and the beginning of its page if `paged`. `parent`: full name of what has the
    collection."""
    structured = StructuredQuery(from_=[StructuredQuery.CollectionSelector(collection_id=query.collection)])
    if query.where:
        structured.where = _Filter(
            composite_filter=StructuredQuery.CompositeFilter(
                op=StructuredQuery.CompositeFilter.Operator.AND, filters=list(_filters(query))
            )
        )
    if not paged:
        return structured
    direction = StructuredQuery.Direction.DESCENDING if query.descending else StructuredQuery.Direction.ASCENDING
    structured.order_by = [
        StructuredQuery.Order(field=StructuredQuery.FieldReference(field_path=key), direction=direction)
        for key in _order(query)
    ]
    if query.after:
        value, document_id = query.after
        structured.start_at = _after(query, value_of(value), f"{parent}/{query.collection}/{document_id}")
    return structured


def after(query: Query, last: Stored) -> Cursor:
    """Return where the page after this document begins."""
    value = last.fields[query.order_by] if query.order_by else Value()
    return _after(query, value, last.name)


def _after(query: Query, value: Value, name: str) -> Cursor:
    values = [value, Value(reference_value=name)]
    return Cursor(values=values[-len(_order(query)) :], before=False)


def _order(query: Query) -> list[str]:
    return [query.order_by, ID] if query.order_by else [ID]


def _filters(query: Query) -> Iterator[StructuredQuery.Filter]:
    for name, operator, value in query.where:
        yield _Filter(
            field_filter=_FieldFilter(
                field=StructuredQuery.FieldReference(field_path=name), op=_OPERATORS[operator], value=value_of(value)
            )
        )


def value_of(value: Scalar | list[str]) -> Value:
    if isinstance(value, list):
        return Value(array_value=ArrayValue(values=[Value(string_value=item) for item in value]))
    if isinstance(value, bool):
        return Value(boolean_value=value)
    if isinstance(value, int):
        return Value(integer_value=value)
    return Value(double_value=value) if isinstance(value, float) else Value(string_value=value)


def time_of(epoch: float) -> Value:
    return Value(timestamp_value=datetime.fromtimestamp(epoch, UTC))


def _packed(write: Write) -> bytes:
    data = _encode(write.data)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"{write.collection}/{write.id} has {len(data)} bytes; at most {MAX_DOCUMENT_BYTES}")
    return gzip.compress(data, 1, mtime=0) if len(data) > GZIP_BYTES else data


def _unpacked(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data
