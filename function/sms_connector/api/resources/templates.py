"""`/v1/templates`: messages with their mapping, sender and options under a name; and how requests use them."""

from __future__ import annotations

import re
from typing import Any

from msgspec import UNSET
from werkzeug.datastructures import ETags
from werkzeug.http import parse_etags

from sms_connector.api.paging import read_page
from sms_connector.api.problem_list import Problems
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas import request_body as payloads
from sms_connector.api.schemas.base import ENTITY_TAGS, Nothing, PageQuery
from sms_connector.api.schemas.conversion import convert
from sms_connector.api.services import Services
from sms_connector.api.validation.drafts import make_reader
from sms_connector.api.validation.options import read_options, recipient_rules
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest, NotFound, VersionMismatch
from sms_connector.model.template import Template
from sms_connector.settings_values import CONNECTION_NAME
from sms_connector.store.saved_templates import Check, SavedTemplate

IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"
_RULE = (
    "a template's name has lower-case letters, digits and hyphens, starts with a letter, and has at most 63 characters"
)


def list_templates(services: Services, call: ParsedRequest) -> Answer:
    """List templates."""
    found, token = read_page(call, services.engine.templates.page, "templates")
    return Answer({"templates": [_write(each) for each in found], "nextPageToken": token})


def get_template(services: Services, call: ParsedRequest) -> Answer:
    """Look up a template."""
    return _answer(services.engine.templates.get(_known_name(call)))


def save_template(services: Services, call: ParsedRequest) -> Answer:
    """Save a template, checked as a send would be.

    The document is kept as the next version.
    """
    name = call.path["template"]
    if not CONNECTION_NAME.fullmatch(name):
        raise InvalidRequest(FieldProblem("template", _RULE))
    _check(services, call.document)
    saved, is_new = services.engine.templates.save(name, call.document, _expectation(call))
    return _answer(saved, 201 if is_new else 200)


def delete_template(services: Services, call: ParsedRequest) -> Answer:
    """Delete a template."""
    services.engine.templates.delete(_known_name(call), _expectation(call))
    return Answer(Nothing())


def fill(
    services: Services, document: dict[str, Any], *, campaign: bool = False, file: bool = False
) -> tuple[dict[str, Any], str | None]:
    """Fill a request's document from the template it names; also its name and version. `file`: its records come beside
    it.

    Raises InvalidRequest.
    """
    name = document.get("template")
    if not isinstance(name, str):
        return document, None
    saved = services.engine.templates.find(name) if CONNECTION_NAME.fullmatch(name) else None
    if saved is None:
        message = f"no template {name[:64]!r}; GET /v1/templates lists them"
        raise InvalidRequest(FieldProblem("template", message, ErrorKind.NOT_FOUND))
    single = not file and "records" not in document
    return payloads.fill_document(saved, document, campaign=campaign, single=single), saved.reference


def _check(services: Services, document: dict[str, Any]) -> None:
    """Raise InvalidRequest with everything that would refuse a send. A sender may still come from the request."""
    send = convert(document, payloads.SendBody)
    problems, optional = Problems(), Problems()
    with problems.collect():
        reader, wrong = make_reader(send, recipient_rules(send, services))
        problems += wrong or reader.check_own_text()
    read_options(send, services, optional)
    problems += [each for each in optional if each.field != "sender" or send.sender is not UNSET]
    problems.refuse()


def _expectation(call: ParsedRequest) -> Check:
    """Return the check that `If-Match` and `If-None-Match` ask for (RFC 9110, 13.1)."""
    wanted, unwanted = _read_tags(call, IF_MATCH), _read_tags(call, IF_NONE_MATCH)

    def check(found: SavedTemplate | None) -> None:
        if wanted is not None and (found is None or not wanted.contains(found.tag)):
            now = f'it has the ETag "{found.tag}" now' if found else "there is none"
            raise VersionMismatch(
                f"the template has changed since you read it: {now}; read it again", kind=ErrorKind.CHANGED
            )
        if unwanted is not None and found is not None and unwanted.contains_weak(found.tag):
            raise VersionMismatch("there is a template of that name; choose another one", kind=ErrorKind.CHANGED)

    return check


def _read_tags(call: ParsedRequest, header: str) -> ETags | None:
    value = call.headers.get(header)
    if value is None:
        return None
    if not re.fullmatch(ENTITY_TAGS, value):
        raise InvalidRequest(FieldProblem(header, 'must be * or entity tags in quotes, such as "3-1f0c9a2b"'))
    return parse_etags(value)


def _known_name(call: ParsedRequest) -> str:
    """Refuse a name that can't be one before the ledger is asked: stores restrict ids."""
    name = call.path["template"]
    if not CONNECTION_NAME.fullmatch(name):
        raise NotFound(f"no template {name[:64]!r}; {_RULE}")
    return name


def _answer(saved: SavedTemplate, status: int = 200) -> Answer:
    return Answer(_write(saved), status, {"ETag": f'"{saved.tag}"'})


def _write(saved: SavedTemplate) -> dict[str, Any]:
    return payloads.write_template(saved, list(Template.parse(saved.content["message"]).placeholders))


_ONE = "/v1/templates/{template}"
_MATCH = {IF_MATCH: "Only where the template has this ETag (or `*`: where there is one); else 412."}
_NONE_MATCH = {IF_NONE_MATCH: "`*`: only where no template has that name; else 412."}

ROUTES = (
    Route("GET", "/v1/templates", list_templates, payloads.TemplateList, query=PageQuery),
    Route("GET", _ONE, get_template, payloads.TemplateInfo, errors=(404,)),
    Route(
        "PUT",
        _ONE,
        save_template,
        payloads.TemplateInfo,
        body=payloads.TemplateBody,
        errors=(412,),
        headers={**_MATCH, **_NONE_MATCH},
        also_answers=(201, payloads.TemplateInfo, "The template is new."),
    ),
    Route("DELETE", _ONE, delete_template, Nothing, errors=(404, 412), headers=_MATCH),
)
