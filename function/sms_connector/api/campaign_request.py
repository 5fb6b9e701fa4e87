"""A request for a campaign, in whichever form it comes: what holds for all its records, and the records as a stream.

The body is on disk when it is read (`spool`), because a JSON document has to be read twice, and because the digest that its
Idempotency-Key stands for is one of all its bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from sms_connector.api import body as json_body
from sms_connector.api.conversion import convert
from sms_connector.api.payloads.campaign_body import CampaignBody, CampaignQuery, read_query, refuse_query
from sms_connector.api.payloads.content import Content, is_gzip
from sms_connector.api.payloads.drafts import RecordReader, check_text, make_reader, read_template
from sms_connector.api.payloads.options import read_options
from sms_connector.api.payloads.record_formats import Format, refuse_form
from sms_connector.api.payloads.record_stream import check_records, read_rows
from sms_connector.api.request_rules import option_rules, recipient_rules
from sms_connector.api.route import Call, Services
from sms_connector.api.spool import Spooled
from sms_connector.api.templates import fill
from sms_connector.errors import FieldProblem, InvalidRequest, Kind
from sms_connector.messaging.campaigns.chunk import Record
from sms_connector.messaging.campaigns.columns import Columns
from sms_connector.messaging.campaigns.intake import CampaignOrder
from sms_connector.messaging.requests import SendOptions

JSON = "application/json"
FORMS: dict[str, Format] = {
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
    "text/csv": "csv",
}
_SUFFIXES: dict[str, Format] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_CHARSET = re.compile(r'charset\s*=\s*"?([^";\s]+)', re.IGNORECASE)


class CampaignRequest(msgspec.Struct, frozen=True):
    """`form` is JSON, or that of the rows in the body or the source."""

    body: CampaignBody
    form: Format | None
    compressed: bool
    reader: RecordReader
    options: SendOptions
    digest: str
    columns: Columns

    def order(self, call: Call, nonce: str) -> CampaignOrder:
        return CampaignOrder(
            text=self.reader.template.text,
            placeholders=len(self.reader.template.placeholders),
            options=self.options,
            nonce=nonce,
            request_id=call.request_id,
            source=None if self.body.source is UNSET else self.body.source,
            name=None if self.body.name is UNSET else self.body.name,
            reference=None if self.body.reference is UNSET else self.body.reference,
            mapping={} if self.body.mapping is UNSET else self.body.mapping,
            columns=self.columns,
        )


def read_request(services: Services, call: Call, spooled: Spooled) -> CampaignRequest:
    """All but the records. Raises InvalidRequest naming every field that is wrong."""
    media_type = _media_type(call)
    compressed = _is_compressed(call)
    if media_type == JSON:
        refuse_query(call.query)
        body, template = _read_document(services, spooled, compressed)
        form = _source_form(body)
    else:
        form = FORMS.get(media_type) or refuse_form(media_type)
        document, template = fill(services, read_query(call.query), campaign=True)
        body = convert(document, CampaignBody)
        if body.message is UNSET:
            message = "is missing; send it as a query parameter, or name a saved template"
            raise InvalidRequest(FieldProblem("message", message, Kind.MISSING_VALUE))
    reader, options = _check(services, body)
    options = replace(options, template=template)
    digest = _digest(call.query, media_type, spooled)
    return CampaignRequest(body, form, compressed, reader, options, digest, Columns())


@contextmanager
def open_records(services: Services, request: CampaignRequest, spooled: Spooled) -> Iterator[Iterator[Record]]:
    """The records, checked as they are read; each call reads from the beginning."""
    body, reader, columns = request.body, request.reader, request.columns
    delimiter = None if body.delimiter is UNSET else body.delimiter
    if body.source is not UNSET and request.form is not None:
        with services.objects.open_lines(body.source) as source:
            file, compressed = _peek(source)
            yield read_rows(file, request.form, reader, columns, compressed=compressed, delimiter=delimiter)
    elif request.form is not None:
        file = spooled.rewind()
        yield read_rows(file, request.form, reader, columns, compressed=request.compressed, delimiter=delimiter)
    else:
        from sms_connector.api.payloads import json_records

        content = Content(spooled.rewind(), compressed=request.compressed)
        yield check_records(json_records.read_records(content), reader, columns)


def _media_type(call: Call) -> str:
    header = call.headers.get("Content-Type", "")
    charset = _CHARSET.search(header)
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise InvalidRequest(FieldProblem("Content-Type", "must be in UTF-8; convert the body, or correct the charset"))
    return header.partition(";")[0].strip().lower()


def _is_compressed(call: Call) -> bool:
    encoding = call.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise InvalidRequest(FieldProblem("Content-Encoding", "must be gzip or absent"))
    return encoding == "gzip"


def _read_document(services: Services, spooled: Spooled, compressed: bool) -> tuple[CampaignBody, str | None]:
    from sms_connector.api.payloads import json_records  # its parser is no part of a cold start

    outline = json_records.read_outline(Content(spooled.rewind(), compressed=compressed))
    has_records = outline.pop(json_records.RECORDS, False)
    json_body.check_text(outline)
    document, template = fill(services, outline, campaign=True)
    body = convert(document, CampaignBody)
    if has_records == (body.source is not UNSET):
        message = (
            "there are 'records' and 'source'; send one of them" if has_records else "is missing; or name a 'source'"
        )
        raise InvalidRequest(
            FieldProblem("records", message, Kind.INVALID_REQUEST if has_records else Kind.MISSING_VALUE)
        )
    return body, template


def _source_form(body: CampaignBody) -> Format | None:
    if body.source is UNSET:
        return None
    if body.format is not UNSET:
        return body.format
    name = body.source.lower().removesuffix(".gz")
    form = next((form for suffix, form in _SUFFIXES.items() if name.endswith(suffix)), None)
    if form is None:
        raise InvalidRequest(FieldProblem("format", "is missing, and the source's name doesn't say: csv or ndjson?"))
    return form


def _check(services: Services, body: CampaignBody) -> tuple[RecordReader, SendOptions]:
    problems: list[FieldProblem] = []
    options, reader = None, None
    if body.tracking.wait:
        problems.append(FieldProblem("tracking.wait", "a campaign is answered at once; ask for its results instead"))
    try:
        options = read_options(body, option_rules(services))
    except InvalidRequest as error:
        problems += error.problems
    try:
        reader = _make_reader(services, body)
    except InvalidRequest as error:
        problems += error.problems
    if problems or options is None or reader is None:
        raise InvalidRequest(*problems)
    return reader, options


def _make_reader(services: Services, body: CampaignBody) -> RecordReader:
    template, mapping = read_template(body)
    rules = recipient_rules(services, body.default_country, has_media=bool(body.media_urls))
    if not template.placeholders and (problems := check_text(template.text, "", rules)):
        raise InvalidRequest(*problems)
    return make_reader(template, mapping, rules)


def _digest(query: CampaignQuery, media_type: str, spooled: Spooled) -> str:
    said = msgspec.json.encode(query, order="sorted") + b"\0" + media_type.encode() + b"\0" + spooled.digest.encode()
    return hashlib.sha256(said).hexdigest()


def _peek(source: BinaryIO) -> tuple[BinaryIO, bool]:
    return source, is_gzip(source)
