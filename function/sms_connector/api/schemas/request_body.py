"""What requests say: the bodies of sends, previews and campaigns, the query beside a file, and saved templates."""

from __future__ import annotations

import json
from collections.abc import Mapping as Fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta

from sms_connector.api.schemas.base import Body, Maybe, NextPageToken, Payload, Time, write_time
from sms_connector.api.uploads.text import Format
from sms_connector.errors import FieldProblem, InvalidRequest

if TYPE_CHECKING:
    from sms_connector.store.saved_templates import SavedTemplate

MAX_RECORDS = 1000
MAX_TEXT = 1600
MAX_KEY = 255
MAX_REFERENCE = 255
RETRY_INTERVAL_MILLIS = (100, 3_600_000)
RETRY_ATTEMPTS = (0, 100)

Url = Annotated[str, Meta(min_length=1, max_length=2048, description="An absolute address.")]
Record = Annotated[
    dict[str, Any],
    Meta(
        description="Fields of your own. `key`, if there, is the record's idempotency key (1 to 255 characters), "
        "`reference` your name for it (up to 255 characters): both are returned with its result."
    ),
]
Text = Annotated[
    str,
    Meta(
        description="At most 1 600 characters once rendered; `<field name>` is a placeholder, at most five different."
    ),
]
TemplateName = Annotated[
    str,
    Meta(
        max_length=63,
        description="A saved template: what it says holds where the request says nothing itself; `message` may be "
        "left out.",
    ),
]
Mapping = Annotated[
    dict[str, str],
    Meta(
        description="`to`, `key`, `reference` and placeholders → fields of the records. A name left out maps to the "
        "field of the same name."
    ),
]
Recipient = Annotated[
    str,
    Meta(
        max_length=200,
        description="A number in international form (`+15558675310`, separators are removed), in national form with "
        "`defaultCountry`, or a channel address (`whatsapp:+15558675310`).",
    ),
]
DefaultCountry = Annotated[
    str,
    Meta(
        max_length=10,
        description="ISO 3166 (`DE`): reads recipients in national form (`0171 3920017`); left out: the "
        "connection's, if it has one.",
    ),
]
SenderText = Annotated[
    str,
    Meta(
        max_length=200,
        description="A number, short code, alphanumeric id, channel address, pool, or the friendly name of one of the "
        "connection's senders; left out: chosen by each recipient's country.",
    ),
]
Records = Annotated[list[Record], Meta(min_length=1, max_length=MAX_RECORDS)]


CampaignRecords = Annotated[
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
SourceFormat = Annotated[
    Format, Meta(description="Of the source; left out: what its name says (.csv, .ndjson, .jsonl).")
]
SendAt = Annotated[str, Meta(max_length=40, description="RFC 3339.", extra_json_schema={"format": "date-time"})]
DryRun = Annotated[
    bool, Meta(description="Check, render and measure, of a campaign also forecast; send and keep nothing.")
]
Reference = Annotated[
    str,
    Meta(max_length=MAX_REFERENCE, description="Your name for the single message or the campaign; returned with it."),
]
Name = Annotated[str, Meta(min_length=1, max_length=200, description="The campaign's, for people.")]
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
Strict = Annotated[
    bool, Meta(description="true: refuse what would be a warning. Such as text that looks like a placeholder.")
]
OnInvalid = Annotated[
    Literal["refuse", "report"],
    Meta(description="A record that is wrong: `refuse` the request, or `report` it and send the others."),
]
RetryIntervalMillis = Annotated[
    int, Meta(ge=RETRY_INTERVAL_MILLIS[0], le=RETRY_INTERVAL_MILLIS[1], description="Between two status polls.")
]
RetryAttempts = Annotated[int, Meta(ge=RETRY_ATTEMPTS[0], le=RETRY_ATTEMPTS[1], description="Status polls at most.")]
Wait = Annotated[bool, Meta(description="true: answer when the tracking has ended.")]


class TrackingBody(Body):
    """Tracking of each message; the connection's defaults hold for what is left out."""

    retry_interval_millis: Maybe[RetryIntervalMillis] = UNSET
    retry_attempts: Maybe[RetryAttempts] = UNSET
    wait: Wait = False


class Options(Body):
    """What every request, and a saved template, may say of all its messages."""

    default_country: DefaultCountry = ""
    sender: Maybe[SenderText] = UNSET
    on_unknown: Annotated[
        Literal["report", "resend"],
        Meta(description="An outcome that stays unknown: `report` (at most once) or `resend` (at least once)."),
    ] = "report"
    media_urls: Annotated[list[Url], Meta(max_length=30)] = msgspec.field(default_factory=list)
    validity_seconds: Maybe[Annotated[int, Meta(ge=1)]] = UNSET
    callback_url: Maybe[Url] = UNSET
    duplicates: Annotated[
        Literal["send", "skip", "refuse"],
        Meta(
            description="A person who comes twice: `send` with a warning, `skip` from the second on, or `refuse` the "
            "request."
        ),
    ] = "send"
    strict: Strict = False


class TemplateBody(Options, kw_only=True):
    """The fields of a request, without its recipients and its time."""

    message: Text
    mapping: Maybe[Mapping] = UNSET
    tracking: TrackingBody = msgspec.field(default_factory=TrackingBody)
    on_invalid: OnInvalid = "refuse"


class TemplateInfo(TemplateBody, kw_only=True, forbid_unknown_fields=False):
    """A saved template: its members as they were saved, and its version."""

    name: str
    version: Annotated[int, Meta(description="Counts its changes, from 1.")]
    placeholders: Annotated[list[str], Meta(description="What its message is filled with.")]
    created_at: Time
    updated_at: Time


class TemplateList(Payload):
    """A page of templates in the order of their names."""

    templates: list[TemplateInfo]
    next_page_token: NextPageToken


class RequestBody(Options):
    """The fields that a send and a campaign have in common."""

    message: Maybe[Text] = UNSET
    template: Maybe[TemplateName] = UNSET
    mapping: Maybe[Mapping] = UNSET
    reference: Maybe[Reference] = UNSET
    tracking: TrackingBody = msgspec.field(default_factory=TrackingBody)
    send_at: Maybe[SendAt] = UNSET
    dry_run: DryRun = False


class SendBody(RequestBody):
    """One message (`to`) or up to 1 000 (`records`), with its text or the name of a saved template."""

    to: Maybe[Recipient] = UNSET
    records: Maybe[Records] = UNSET
    on_invalid: OnInvalid = "refuse"


class CampaignBody(RequestBody):
    """Up to 1 000 000 records in the document (`records`), or in an object elsewhere (`source`)."""

    name: Maybe[Name] = UNSET
    records: Maybe[CampaignRecords] = UNSET
    source: Maybe[Source] = UNSET
    format: Maybe[SourceFormat] = UNSET
    delimiter: Maybe[Delimiter] = UNSET
    charset: Maybe[Charset] = UNSET


class PreviewBody(Body):
    """A text or a saved template, alone or with one recipient or records to fill it with."""

    message: Maybe[Text] = UNSET
    template: Maybe[TemplateName] = UNSET
    to: Maybe[Recipient] = UNSET
    records: Maybe[Records] = UNSET
    mapping: Maybe[Mapping] = UNSET
    default_country: DefaultCountry = ""
    sender: Maybe[SenderText] = UNSET
    strict: Strict = False


class FileQuery(Options):
    """The fields of a request whose body is NDJSON or CSV, in the query; a JSON document has them itself."""

    message: Maybe[Text] = UNSET
    template: Maybe[TemplateName] = UNSET
    mapping: Annotated[
        list[str], Meta(max_length=20, description="`placeholder:field`, as often as needed, or one JSON object.")
    ] = msgspec.field(default_factory=list)
    delimiter: Maybe[Delimiter] = UNSET
    charset: Maybe[Charset] = UNSET
    retry_interval_millis: Maybe[RetryIntervalMillis] = UNSET
    retry_attempts: Maybe[RetryAttempts] = UNSET
    send_at: Maybe[SendAt] = UNSET
    dry_run: DryRun = False


class CampaignQuery(FileQuery):
    """The fields of a campaign."""

    name: Maybe[Name] = UNSET
    reference: Maybe[Reference] = UNSET


class SendQuery(FileQuery):
    """The fields of `messages:send`."""

    wait: Wait = False
    on_invalid: OnInvalid = "refuse"


def read_query(given: Fields[str, Any]) -> dict[str, Any]:
    """Return the query's fields as the JSON document that says the same. Raises InvalidRequest."""
    document = dict(given)
    tracking = {name: document.pop(name) for name in TrackingBody.__struct_encode_fields__ if name in document}
    mapping = {"mapping": _read_mapping(document["mapping"])} if "mapping" in document else {}
    return document | mapping | ({"tracking": tracking} if tracking else {})


def refuse_query(given: Fields[str, Any]) -> None:
    """Refuse query parameters beside a document: two places for one field would need a rule of precedence."""
    if given:
        raise InvalidRequest(*(FieldProblem(name, "stands in the JSON document, not in the query") for name in given))


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


def write_template(saved: SavedTemplate, placeholders: list[str]) -> dict[str, Any]:
    """Return a TemplateInfo with those members that were saved."""
    tracking = {"tracking": {"wait": False, **saved.content["tracking"]}} if "tracking" in saved.content else {}
    return {
        **saved.content,
        **tracking,
        "name": saved.name,
        "version": saved.version,
        "placeholders": placeholders,
        "createdAt": write_time(saved.created_at),
        "updatedAt": write_time(saved.updated_at),
    }


def fill_document(
    saved: SavedTemplate, document: dict[str, Any], *, campaign: bool = False, single: bool = False
) -> dict[str, Any]:
    """Return the request with what the template adds to it; what the request says itself goes first.

    A single recipient has nothing to map; a campaign is answered at once and reports every wrong record.
    """
    content = dict(saved.content)
    if campaign:
        content.pop("onInvalid", None)
        content["tracking"] = {name: value for name, value in content.get("tracking", {}).items() if name != "wait"}
    elif single:
        content.pop("mapping", None)
    merged = {**content, **document}
    for name in ("mapping", "tracking"):  # their entries are replaced one by one
        if isinstance(content.get(name), dict) and isinstance(document.get(name), dict):
            merged[name] = {**content[name], **document[name]}
    return merged
