"""A request for a campaign, in whichever form it comes: what holds for all its records, and the records as a stream.

The body is on disk when it is read (`spool`), because a JSON document has to be read twice, and because the digest that
its Idempotency-Key stands for is one of all its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from sms_connector.api import body as json_body
from sms_connector.api.body import Spooled
from sms_connector.api.problem_list import Problems
from sms_connector.api.resources.templates import fill
from sms_connector.api.routing import ParsedRequest
from sms_connector.api.schemas.base import value_or
from sms_connector.api.schemas.conversion import convert
from sms_connector.api.schemas.request_body import CampaignBody, read_query, refuse_query
from sms_connector.api.services import Services
from sms_connector.api.uploads.content import Content, is_gzip
from sms_connector.api.uploads.record_stream import check_records, read_form, read_rows
from sms_connector.api.uploads.text import FileForm, Format, read_content_type
from sms_connector.api.validation.drafts import (
    RecordReader,
    find_warnings,
    make_reader,
    read_policy,
)
from sms_connector.api.validation.options import read_options, recipient_rules
from sms_connector.campaigns.chunk import Record
from sms_connector.campaigns.intake import CampaignOrder
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.record_warnings import RecordWarnings
from sms_connector.model.send_request import SendOptions

_SUFFIXES: dict[str, Format] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}


class CampaignRequest(msgspec.Struct, frozen=True):
    """`form` is that of the JSON document with the records, or of the rows in the body or the source. The order's nonce
    comes later."""

    body: CampaignBody
    form: FileForm
    reader: RecordReader
    order: CampaignOrder


def read_request(services: Services, call: ParsedRequest, spooled: Spooled) -> CampaignRequest:
    """Read all but the records. Raises InvalidRequest with every wrong field."""
    form = read_content_type(call.headers)
    if form.format is None:
        refuse_query(call.given)
        body, template = _read_document(services, spooled, form.compressed)
        form = replace(form, format=_source_form(body))
    else:
        document, template = fill(services, read_query(call.given), campaign=True)
        body = convert(document, CampaignBody)
    form = read_form(form, body) if form.format else form
    reader, options = _check(services, body, template)
    order = CampaignOrder(
        text=reader.template.text,
        placeholders=len(reader.template.placeholders),
        options=options,
        nonce="",
        request_id=call.request_id,
        source=value_or(body.source, None),
        name=value_or(body.name, None),
        reference=value_or(body.reference, None),
        mapping=value_or(body.mapping, {}),
        notes=RecordWarnings(read_policy(body), find_warnings(body), strict=body.strict),
    )
    return CampaignRequest(body, form, reader, order)


@contextmanager
def open_records(services: Services, request: CampaignRequest, spooled: Spooled) -> Iterator[Iterator[Record]]:
    """Read and check the records from the beginning."""
    body, reader, form, order = request.body, request.reader, request.form, request.order
    with ExitStack() as stack:
        if form.format is None:
            from sms_connector.api.uploads import json_document

            rows = json_document.read_records(Content(spooled.rewind(), compressed=form.compressed))
        elif body.source is UNSET:
            rows = read_rows(spooled.rewind(), form, reader.mapping)
        else:
            source = stack.enter_context(services.objects.open_lines(body.source))
            rows = read_rows(source, replace(form, compressed=is_gzip(source)), reader.mapping)
        yield check_records(rows, reader, order.columns, order.notes)


def _read_document(services: Services, spooled: Spooled, compressed: bool) -> tuple[CampaignBody, str | None]:
    from sms_connector.api.uploads import json_document  # a cold start does not load its parser

    outline = json_document.read_outline(Content(spooled.rewind(), compressed=compressed))
    has_records = outline.pop(json_document.RECORDS, False)
    json_body.check_text(outline)
    document, template = fill(services, outline, campaign=True)
    body = convert(document, CampaignBody)
    if has_records and body.source is not UNSET:
        raise InvalidRequest(FieldProblem("records", "there are 'records' and 'source'; send one of them"))
    if not has_records and body.source is UNSET:
        raise InvalidRequest(FieldProblem("records", "is missing; or name a 'source'", ErrorKind.MISSING_VALUE))
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


def _check(services: Services, body: CampaignBody, template: str | None) -> tuple[RecordReader, SendOptions]:
    problems = Problems()
    if body.tracking.wait:
        problems.add("tracking.wait", "a campaign is answered at once; ask for its results instead")
    options, senders = read_options(body, services, problems, template=template)
    with problems.collect():
        reader, wrong = make_reader(body, recipient_rules(body, services, senders))
        problems += wrong or reader.check_own_text()
    problems.refuse()
    return reader, options
