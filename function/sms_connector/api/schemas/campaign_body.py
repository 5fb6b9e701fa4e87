"""Requests for campaigns: a JSON document, or query parameters with NDJSON or CSV as the body."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sms_connector.api.schemas.base import Body, Maybe
from sms_connector.api.schemas.send_body import (
    MAX_REFERENCE,
    RETRY_ATTEMPTS,
    RETRY_INTERVAL_MILLIS,
    DefaultCountry,
    DuplicatesText,
    Mapping,
    Record,
    Strict,
    TemplateName,
    Text,
    TrackingBody,
    Url,
)
from sms_connector.api.uploads.text import Format
from sms_connector.errors import FieldProblem, InvalidRequest

Records = Annotated[
    list[Record], Meta(min_length=1, extra_json_schema={"maxItems": 1_000_000}, description="Read as a stream.")
]
Source = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2048,
        description="Instead of `records`: `gs://bucket/object` or, on one machine, `file:…`; CSV or NDJSON, also as "
        "gzip.",
    ),
]
SenderText = Annotated[
    str, Meta(max_length=200, description="A number, short code, alphanumeric id, channel address or pool.")
]
OnUnknownText = Annotated[
    Literal["report", "resend"],
    Meta(description="An outcome that stays unknown: `report` (at most once) or `resend` (at least once)."),
]
SendAt = Annotated[str, Meta(max_length=40, description="RFC 3339.", extra_json_schema={"format": "date-time"})]
Delimiter = Annotated[
    Literal["comma", "semicolon", "tab", "pipe"],
    Meta(description="Of a CSV; left out: the one by which its header has the mapped columns."),
]
Charset = Annotated[
    str,
    Meta(
        max_length=40,
        description="Of a CSV or NDJSON, such as `windows-1252`; left out: that of its Content-Type or byte order "
        "mark, else UTF-8.",
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=200, description="The campaign's, for people.")]
Reference = Annotated[str, Meta(max_length=MAX_REFERENCE, description="Your own name for the campaign.")]
DryRun = Annotated[bool, Meta(description="Check, count and forecast; send and keep nothing.")]


class CampaignBody(Body):
    """Up to 1 000 000 records in the document (`records`), or in an object elsewhere (`source`)."""

    name: Maybe[Name] = UNSET
    reference: Maybe[Reference] = UNSET
    message: Maybe[Text] = UNSET
    template: Maybe[TemplateName] = UNSET
    records: Maybe[Records] = UNSET
    source: Maybe[Source] = UNSET
    format: Maybe[
        Annotated[Format, Meta(description="Of the source; left out: what its name says (.csv, .ndjson, .jsonl).")]
    ] = UNSET
    delimiter: Maybe[Delimiter] = UNSET
    charset: Maybe[Charset] = UNSET
    mapping: Maybe[Mapping] = UNSET
    default_country: DefaultCountry = ""
    sender: Maybe[SenderText] = UNSET
    tracking: TrackingBody = msgspec.field(default_factory=TrackingBody)
    on_unknown: OnUnknownText = "report"
    media_urls: Annotated[list[Url], Meta(max_length=30)] = msgspec.field(default_factory=list)
    validity_seconds: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    send_at: Maybe[SendAt] = UNSET
    callback_url: Maybe[Url] = UNSET
    duplicates: DuplicatesText = "send"
    strict: Strict = False
    dry_run: DryRun = False


class FileQuery(Body):
    """The fields of a campaign whose body is NDJSON or CSV, in the query; a JSON document has them itself."""

    message: Maybe[Text] = UNSET
    template: Maybe[TemplateName] = UNSET
    mapping: Annotated[
        list[str], Meta(max_length=20, description="`placeholder:field`, as often as needed, or one JSON object.")
    ] = msgspec.field(default_factory=list)
    delimiter: Maybe[Delimiter] = UNSET
    default_country: Maybe[DefaultCountry] = UNSET
    charset: Maybe[Charset] = UNSET
    sender: Maybe[SenderText] = UNSET
    retry_interval_millis: Maybe[Annotated[int, Meta(ge=RETRY_INTERVAL_MILLIS[0], le=RETRY_INTERVAL_MILLIS[1])]] = UNSET
    retry_attempts: Annotated[int, Meta(ge=RETRY_ATTEMPTS[0], le=RETRY_ATTEMPTS[1])] | UnsetType = UNSET
    on_unknown: Maybe[OnUnknownText] = UNSET
    media_urls: Annotated[list[Url], Meta(max_length=30)] = msgspec.field(default_factory=list)
    validity_seconds: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    send_at: Maybe[SendAt] = UNSET
    callback_url: Maybe[Url] = UNSET
    duplicates: Maybe[DuplicatesText] = UNSET
    strict: Maybe[Strict] = UNSET
    dry_run: DryRun = False


class CampaignQuery(FileQuery):
    """The fields of a campaign."""

    name: Maybe[Name] = UNSET
    reference: Maybe[Reference] = UNSET


class SendQuery(FileQuery):
    """The fields of `messages:send`."""

    wait: Annotated[bool, Meta(description="true: answer when the tracking has ended.")] | UnsetType = UNSET
    on_invalid: Maybe[
        Annotated[
            Literal["refuse", "report"],
            Meta(description="A record that is wrong: `refuse` the request, or `report` it and send the others."),
        ]
    ] = UNSET


def read_query(query: FileQuery) -> dict[str, Any]:
    """Return the parameters as the JSON document that says the same. Raises InvalidRequest."""
    document = {name: value for name, value in msgspec.to_builtins(query).items() if value != []}
    tracking = {name: document.pop(name) for name in ("retryIntervalMillis", "retryAttempts") if name in document}
    mapping = _read_mapping(document.pop("mapping", []))
    return {**document, **({"tracking": tracking} if tracking else {}), **({"mapping": mapping} if mapping else {})}


def read_send_query(query: SendQuery) -> dict[str, Any]:
    """Return the document of `messages:send` that says the same, but how its file is read. Raises InvalidRequest."""
    document = read_query(query)
    if "wait" in document:
        document.setdefault("tracking", {})["wait"] = document.pop("wait")
    return {name: value for name, value in document.items() if name not in ("delimiter", "charset")}


def refuse_query(query: FileQuery) -> None:
    """Refuse query parameters beside a document: two places for one field would need a rule of precedence."""
    names = {each.name: each.encode_name for each in msgspec.structs.fields(query)}
    empty = type(query)()
    given = [name for name in names if getattr(query, name) != getattr(empty, name)]
    if given:
        raise InvalidRequest(
            *(FieldProblem(names[name], "stands in the JSON document, not in the query") for name in given)
        )


def _read_mapping(entries: list[str]) -> dict[str, str]:
    if len(entries) == 1 and entries[0].startswith("{"):
        return _read_mapping_object(entries[0])
    pairs = [entry.partition(":") for entry in entries]
    mapping = {name: field for name, _, field in pairs}
    if any(not colon or not name for name, colon, _ in pairs) or len(mapping) < len(pairs):
        raise InvalidRequest(
            FieldProblem("mapping", "must be placeholder:field, each placeholder once, such as mapping=to:mobile")
        )
    return mapping


def _read_mapping_object(text: str) -> dict[str, str]:
    try:
        document: Any = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise InvalidRequest(FieldProblem("mapping", 'must be a JSON object of names, such as {"to": "mobile"}'))
    return document
