"""Read the value of a setting: one function a form. Raises ValueError with what is allowed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

CONNECTION_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](?:/[^\x00-\x1f]*)?")
_HOST_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# The last label of a name is not a number: that would be a broken address
# (https://url.spec.whatwg.org/#ends-in-a-number-checker).
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$)(?:\*\.)?(?:{_HOST_LABEL}\.)*(?!(?:[0-9]+|0[xX][0-9A-Fa-f]*)$){_HOST_LABEL}")
# https://www.sqlite.org/fileformat.html#magic_header_string
_SQLITE = b"SQLite format 3\0"
TWO_PARTS = re.compile(r"([A-Za-z0-9.:_()-]{1,128})/([A-Za-z0-9.:_()-]{1,128})")

T = TypeVar("T")
L = TypeVar("L", bound=str)


def one_of(*allowed: L) -> Callable[[str], L]:
    def parse(raw: str) -> L:
        for word in allowed:
            if word == raw:
                return word
        raise ValueError(f"{raw[:40]!r} is not one of {', '.join(allowed)}")

    return parse


def whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if re.fullmatch(r"[0-9]{1,12}", raw) and least <= int(raw) <= most:
            return int(raw)
        raise ValueError(f"{raw[:20]!r} is not a whole number from {least} to {most}")

    return parse


def list_of(parse_one: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    """Values between commas; empty ones are left out."""

    def parse(raw: str) -> tuple[T, ...]:
        return tuple(parse_one(part.strip()) for part in raw.split(",") if part.strip())

    return parse


def text(most: int) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if len(raw) > most:
            raise ValueError(f"it has {len(raw)} characters; at most {most} are allowed")
        return raw

    return parse


def truth(raw: str) -> bool:
    if raw not in ("true", "false"):
        raise ValueError(f"{raw[:20]!r} is neither true nor false")
    return raw == "true"


def matching(form: str | re.Pattern[str], problem: str, *, shown: int = 0) -> Callable[[str], str]:
    """Text of a form. The problem is said of the value's first characters, as many as are to be shown."""

    def parse(raw: str) -> str:
        if not re.fullmatch(form, raw):
            raise ValueError(f"{raw[:shown]!r} {problem}" if shown else problem)
        return raw

    return parse


connection_name = matching(
    CONNECTION_NAME,
    "is not a connection's name: lower-case letters, digits and hyphens, starting with a letter, ending with a letter "
    "or digit, at most 63 characters",
    shown=64,
)
entity_write = matching(
    r"[A-Za-z][A-Za-z0-9]{0,62}\.(?:CREATE|UPDATE|DELETE)",
    "is not an entity type and an operation, such as IncomingPhoneNumbers.CREATE",
    shown=80,
)
tool_name = matching(r"all|[a-z][a-z0-9_]{0,62}", "is not a tool's name, such as list_messages, or all", shown=80)
region = matching(r"[a-z]+-[a-z]+[0-9]+", "is not a region, such as europe-west3", shown=40)
service_account = matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "it has to be a service account's e-mail address")


def labels(raw: str) -> Mapping[str, str]:
    pairs = [part.strip().partition("=") for part in raw.split(",") if part.strip()]
    wrong = [
        key for key, sign, value in pairs if not (sign and _LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value))
    ]
    if wrong:
        raise ValueError(
            f"{', '.join(repr(key[:64]) for key in wrong)}: write key=value,key=value "
            "in lower-case letters, digits, _ and -; a key starts with a letter"
        )
    return {key: value for key, _, value in pairs}


def named_values(raw: str) -> Mapping[str, str]:
    """Read `name=value,name=value`; a value may hold `=`, no comma."""
    pairs = [part.partition("=") for part in raw.split(",") if part.strip()]
    read = {name.strip(): value.strip() for name, _, value in pairs}
    if len(read) < len(pairs) or not all(name and value for name, value in read.items()):
        raise ValueError("write name=value,name=value, each name once and with a value")
    return read


def base_url(raw: str) -> str:
    """Read an http(s) address without credentials, query and fragment; drop a trailing slash."""
    parts = _split(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it has to be an absolute http:// or https:// address")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("it must hold no user name, password, query or fragment; credentials belong into the secrets")
    return raw.rstrip("/")


def proxy_address(url: str) -> tuple[str, int]:
    """Host and port of `http://host:port`. Raises ValueError with the fix; the message never repeats the URL."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("leave user and password out: they are the secrets proxy-username and proxy-password")
    if parts.scheme != "http":
        raise ValueError("write it as http://host:port; for TLS to the proxy itself set SMS_PROXY_SSL=always")
    if not parts.hostname or parts.port is None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("write it as http://host:port, with nothing after the port")
    return parts.hostname, parts.port


def callback_url(raw: str) -> str:
    """Read an http(s) address that results are posted to; it may have a query."""
    parts = _split(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname or not raw.isascii():
        raise ValueError("it has to be an absolute https:// address in ASCII")
    if parts.username is not None or parts.fragment:
        raise ValueError("it must hold no user name, password or fragment; receivers know us by our signature")
    return raw


def existing_file(raw: str) -> Path:
    path = Path(raw)
    if not path.is_file():
        raise ValueError(f"no file {raw}")
    return path


def database_problem(path: Path) -> str | None:
    """Return why no SQLite file can be opened or made here, None if it seems possible."""
    if not path.parent.is_dir():
        return f"no folder {path.parent}; make it, or name a file in another one"
    if path.is_dir():
        return f"{path} is a folder; name a file in it"
    if not os.access(path if path.exists() else path.parent, os.R_OK | os.W_OK):
        return f"{path} may not be written by this user; change its permissions, or name another file"
    if path.exists() and _begins(path, len(_SQLITE)) not in (b"", _SQLITE):
        return f"{path} is not an SQLite file; name another file"
    return None


def _begins(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def campaign_source(raw: str) -> str:
    if _BUCKET.fullmatch(raw) or (not raw.startswith("gs:") and Path(raw).is_absolute()):
        return raw.rstrip("/") if raw != "/" else raw
    raise ValueError(
        f"{raw[:80]!r} is neither a bucket (gs://name, also with a prefix) nor an absolute path of a folder"
    )


def keyword(raw: str) -> str:
    if len(raw) > 40:
        raise ValueError(f"{raw[:40]!r}… is too long for a keyword (40 characters)")
    return raw


def host(raw: str) -> str:
    """Read a host name, all names below a domain (`*.internal`), an address or a network, in canonical form."""
    if not _HOST_NAME.fullmatch(raw) and not _is_network(raw):
        raise ValueError(
            f"{raw[:80]!r} is not a host name (crm.internal), a domain's names (*.internal), an address (10.1.0.7) "
            "or a network (10.1.0.0/16, fd00::/8); leave scheme, port and path out"
        )
    return raw.lower()


def _is_network(raw: str) -> bool:
    """Return True for an address or a network, but not for the network of all addresses."""
    try:
        return "%" not in raw and ip_network(raw, strict=False).prefixlen > 0
    except ValueError:
        return False


def _split(raw: str) -> SplitResult:
    try:
        parts = urlsplit(raw)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        raise ValueError("it is not an address: check brackets and port") from None
    if re.search(r"[\s\x00-\x1f\\]", raw):
        raise ValueError("it holds spaces, control characters or backslashes")
    return parts
