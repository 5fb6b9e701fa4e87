"""The bodies of `messages:send` and `messages:preview`, and the answer of a preview."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sms_connector.api.schemas.base import Body, Line, Maybe, Payload, Warnings
from sms_connector.api.schemas.message import TemplateUse
from sms_connector.errors import ErrorKind
from sms_connector.model.segments import Encoding

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
        "`reference` your "
        "name for it (up to 255 characters): both are returned with its result."
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
        "field of the "
        "same name."
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
Records = Annotated[list[Record], Meta(min_length=1, max_length=MAX_RECORDS)]


Strict = Annotated[
    bool, Meta(description="true: refuse what would be a warning. Such as text that looks like a placeholder.")
]
DuplicatesText = Annotated[
    Literal["send", "skip", "refuse"],
    Meta(
        description="A person who comes twice: `send` with a warning, `skip` from the second on, or `refuse` the "
        "request."
    ),
]


class TrackingBody(Body):
    """Tracking of each message; the connection's defaults hold for what is left out."""

    retry_interval_millis: Maybe[
        Annotated[
            int, Meta(ge=RETRY_INTERVAL_MILLIS[0], le=RETRY_INTERVAL_MILLIS[1], description="Between two status polls.")
        ]
    ] = UNSET
    retry_attempts: Maybe[
        Annotated[int, Meta(ge=RETRY_ATTEMPTS[0], le=RETRY_ATTEMPTS[1], description="Status polls at most.")]
    ] = UNSET
    wait: Annotated[bool, Meta(description="true: answer when the tracking has ended.")] = False


class SendBody(Body):
    """One message (`to`) or up to 1 000 (`records`), with its text or the name of a saved template."""

    message: Maybe[Text] = UNSET
    template: Maybe[TemplateName] = UNSET
    to: Maybe[Recipient] = UNSET
    records: Maybe[Records] = UNSET
    reference: Maybe[
        Annotated[str, Meta(max_length=MAX_REFERENCE, description="Of a single message; returned with its result.")]
    ] = UNSET
    mapping: Maybe[Mapping] = UNSET
    default_country: DefaultCountry = ""
    sender: Maybe[
        Annotated[
            str, Meta(max_length=200, description="A number, short code, alphanumeric id, channel address or pool.")
        ]
    ] = UNSET
    tracking: TrackingBody = msgspec.field(default_factory=TrackingBody)
    on_unknown: Annotated[
        Literal["report", "resend"],
        Meta(description="An outcome that stays unknown: `report` (at most once) or `resend` (at least once)."),
    ] = "report"
    on_invalid: Annotated[
        Literal["refuse", "report"],
        Meta(description="A record that is wrong: `refuse` the request, or `report` it and send the others."),
    ] = "refuse"
    media_urls: Annotated[list[Url], Meta(max_length=30)] = msgspec.field(default_factory=list)
    validity_seconds: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    send_at: Maybe[
        Annotated[str, Meta(max_length=40, description="RFC 3339.", extra_json_schema={"format": "date-time"})]
    ] = UNSET
    callback_url: Maybe[Url] = UNSET
    duplicates: DuplicatesText = "send"
    strict: Strict = False
    dry_run: Annotated[bool, Meta(description="Check, render and measure; send and keep nothing.")] = False


class PreviewBody(Body):
    """A text or a saved template, alone or with one recipient or records to fill it with."""

    message: Maybe[Text] = UNSET
    template: Maybe[TemplateName] = UNSET
    to: Maybe[Recipient] = UNSET
    records: Maybe[Records] = UNSET
    mapping: Maybe[Mapping] = UNSET
    default_country: DefaultCountry = ""
    strict: Strict = False


class PreviewError(Payload):
    """A problem of a record."""

    field: str
    kind: ErrorKind
    message: str


class PreviewResult(Payload):
    """A rendered record. `units` are septets (GSM-7) or UTF-16 units (UCS-2); `remaining` still fit the last
    segment."""

    index: int
    to: str | None
    text: str | None = None
    characters: int = 0
    encoding: Encoding | None = None
    segments: int = 0
    units: int = 0
    remaining: int = 0
    reason: Annotated[str | None, Meta(description="What forces UCS-2.")] = None
    errors: list[PreviewError] = msgspec.field(default_factory=list)
    line: Maybe[Line] = UNSET


class PreviewAnswer(Payload):
    """Without `to` and `records` the one result measures the text as it is written."""

    placeholders: list[str]
    results: list[PreviewResult]
    segments: Annotated[int, Meta(description="Of all records together.")]
    warnings: Warnings
    template: Maybe[TemplateUse] = UNSET
