"""What a request's headers say of its body: which form it has, in which characters, and whether it is compressed."""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from werkzeug.datastructures import Headers

from sms_connector.api.uploads.text import find_charset
from sms_connector.errors import FieldProblem, InvalidRequest
from sms_connector.model.invalid_value import quote

JSON = "application/json"
Format = Literal["ndjson", "csv"]
FORMS: dict[str, Format] = {
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
    "text/csv": "csv",
}
_CHARSET = re.compile(r'charset\s*=\s*"?([^";\s]+)', re.IGNORECASE)


class ContentType(msgspec.Struct, frozen=True):
    """`form` None: a JSON document, which is in UTF-8."""

    media_type: str
    form: Format | None
    charset: str | None
    compressed: bool


def read_content_type(headers: Headers) -> ContentType:
    """Raises InvalidRequest for a form, an encoding or a charset that is not read."""
    header = headers.get("Content-Type", "")
    media_type = header.partition(";")[0].strip().lower()
    form = FORMS.get(media_type)
    if form is None and media_type != JSON:
        message = f"{quote(media_type)} is not read here; send application/json, application/x-ndjson or text/csv"
        raise InvalidRequest(FieldProblem("Content-Type", message))
    named = _CHARSET.search(header)
    charset = find_charset(named[1], "Content-Type") if named else None
    if form is None and charset not in (None, "utf-8", "ascii"):
        raise InvalidRequest(FieldProblem("Content-Type", "JSON must be in UTF-8; convert the body"))
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise InvalidRequest(FieldProblem("Content-Encoding", "must be gzip or absent"))
    return ContentType(media_type, form, charset, encoding == "gzip")
