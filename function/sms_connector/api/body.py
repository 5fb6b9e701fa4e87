"""Read a request's body: from bytes to safe JSON, or spooled to disk.

Refused in JSON, each with its path: a body over its limit, a content type that is not JSON in UTF-8, broken JSON, a key
twice in one object (parsers differ in which one they take), NaN and Infinity, half characters and NUL characters (no
database and no provider takes them), and nesting without end.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NoReturn, cast

import flask
import msgspec

from sms_connector.api.problem_list import field_path, find_repeated
from sms_connector.api.uploads.content import broken
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest, Throttled

_CONTENT_TYPE = re.compile(r'application/json\s*(?:;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)
# Only these escapes can bring such a character in: raw ones break UTF-8 or JSON itself.
_SUSPICIOUS = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_UNFIT = re.compile("[\ud800-\udfff\x00]")
_PIECE = 64 * 1024
_DRAIN_AT_MOST = 64 * 1024 * 1024
_TOO_DEEP = "the body is nested too deeply"


class _DuplicateError(ValueError):
    """An object has a key twice."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written, with what it has twice."""


def read_body(request: flask.Request, *, limit: int) -> bytes:
    """Read the body. Raises InvalidRequest where it is longer than `limit` bytes, compressed, or not JSON by its
    content type."""
    raw = read_file(request, limit=limit)
    if raw:
        _check_headers(request)
    return raw


def read_file(request: flask.Request, *, limit: int) -> bytes:
    """Read the body, whatever its content type. Raises InvalidRequest where it is longer than `limit` bytes."""
    raw = read_at_most(request, limit)
    if raw is None:
        raise broken(f"the body is over the limit of {limit:,} bytes; send fewer records a request, or a campaign")
    return raw


def read_at_most(request: flask.Request, limit: int) -> bytes | None:
    """Read the body; return None where it is longer than `limit` bytes."""
    raw = unlimited(request).read(limit + 1)
    if len(raw) <= limit:
        return raw
    drain(request)
    return None


def unlimited(request: flask.Request) -> BinaryIO:
    """Return the body as a stream without the framework's limit: it would fail with its own error while it reads the
    rest."""
    request.max_content_length = 1 << 40
    return cast(BinaryIO, request.stream)


def parse_json(raw: bytes) -> Any:
    """Parse a document. Raises InvalidRequest with each problem and its path."""
    if raw.startswith(codecs.BOM_UTF8):
        raise broken("the body begins with a byte order mark; save it as UTF-8 without one")
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_to_object, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise broken(f"the body is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise broken(f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except _DuplicateError:
        document = json.loads(raw, object_pairs_hook=_Pairs)  # a second time, for the paths
        twice = "appears twice in one object; send it once"
        raise InvalidRequest(*(FieldProblem(path, twice) for path in _find_repeated_paths(document))) from None
    except RecursionError:
        raise broken(_TOO_DEEP) from None
    except ValueError:  # the interpreter's limit against quadratic conversion: over 4 300 digits
        raise broken("the body holds a number with too many digits") from None
    if _SUSPICIOUS.search(raw):
        check_text(document)
    return document


def digest(document: Any) -> str:
    """Return a digest of the content: the order of keys and white space make no difference."""
    try:
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise broken(_TOO_DEEP) from None
    return hashlib.sha256(canonical.encode()).hexdigest()


def drain(request: flask.Request) -> None:
    """Read what is still being sent: a sender answered in the middle would see a broken connection, not our answer."""
    left = _DRAIN_AT_MOST
    while left > 0 and (piece := request.stream.read(_PIECE)):
        left -= len(piece)


def _check_headers(request: flask.Request) -> None:
    content_type = request.headers.get("Content-Type", "")
    if not _CONTENT_TYPE.fullmatch(content_type.strip()):
        raise InvalidRequest(
            FieldProblem(
                "Content-Type", "must be application/json in UTF-8; send the header Content-Type: application/json"
            )
        )
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise InvalidRequest(FieldProblem("Content-Encoding", "is not supported here; send the body uncompressed"))


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _DuplicateError
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise broken(f"the body is not JSON: {name} is not a JSON number")


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value with its path, the document itself first; an object's names are values too."""
    yield path, value
    if isinstance(value, dict | _Pairs):
        for name, item in value.items() if isinstance(value, dict) else value:
            inner = field_path(path, name)
            yield inner, name
            yield from _walk(item, inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]")


def _find_repeated_paths(document: Any) -> Iterator[str]:
    """Yield the path of each name that an object has twice."""
    for path, value in _walk(document):
        if isinstance(value, _Pairs):
            yield from (field_path(path, name) for name in find_repeated(name for name, _ in value))


def check_text(document: Any) -> None:
    """Raise InvalidRequest where a text has half a character or NUL."""
    try:
        texts = ((path, value) for path, value in _walk(document) if isinstance(value, str))
        problems = [_explain_unfit(path, found[0]) for path, text in texts if (found := _UNFIT.search(text))]
    except RecursionError:
        raise broken(_TOO_DEEP) from None
    if problems:
        raise InvalidRequest(*problems)


def _explain_unfit(path: str, character: str) -> FieldProblem:
    clean = _UNFIT.sub("�", path)
    kind = ErrorKind.INVALID_MESSAGE if clean == "message" else ErrorKind.INVALID_REQUEST
    if character == "\x00":
        return FieldProblem(clean, "has a NUL character (U+0000); take it out", kind)
    return FieldProblem(
        clean, f"has half a character (U+{ord(character):04X}); send the text as it was, in UTF-8", kind
    )


MAX_BYTES = 512 * 1024 * 1024
_SPOOL_PIECE = 256 * 1024
# Where the disk is memory, the bodies of all requests at work have to fit into an instance: 80 small ones, and a few
# large ones at a time (32 MiB each on the platform). Further large ones wait for their turn.
LARGE_BYTES = 1024 * 1024
LARGE_UPLOADS = threading.BoundedSemaphore(4)
PATIENCE_SECONDS = 20.0
RETRY_AFTER_SECONDS = 10.0


class Spooled(msgspec.Struct, frozen=True):
    """`digest` is the SHA-256 of the bytes as they came."""

    file: BinaryIO
    digest: str

    def rewind(self) -> BinaryIO:
        self.file.seek(0)
        return self.file


@contextmanager
def spool(
    stream: BinaryIO,
    *,
    limit: int = MAX_BYTES,
    large_uploads: threading.Semaphore = LARGE_UPLOADS,
    patience: float = PATIENCE_SECONDS,
) -> Iterator[Spooled]:
    """Store the stream. Raises InvalidRequest above `limit` bytes, and Throttled where this node reads too many large
    bodies."""
    digest = hashlib.sha256()
    size = 0
    with ExitStack() as stack:
        file = stack.enter_context(TemporaryFile())
        while piece := stream.read(_SPOOL_PIECE):
            if size <= LARGE_BYTES < size + len(piece):
                stack.enter_context(_taking(large_uploads, patience))
            size += len(piece)
            if size > limit:
                raise broken(f"the body is over the limit of {limit:,} bytes; split the campaign")
            digest.update(piece)
            file.write(piece)
        yield Spooled(file, digest.hexdigest())


@contextmanager
def _taking(large_uploads: threading.Semaphore, patience: float) -> Iterator[None]:
    if not large_uploads.acquire(timeout=patience):
        raise Throttled(
            f"this node is reading as many large uploads as it has memory for; repeat after {RETRY_AFTER_SECONDS:g} s, "
            "or put the file into a bucket and name it as `source`",
            retry_after=RETRY_AFTER_SECONDS,
        )
    try:
        yield
    finally:
        large_uploads.release()
