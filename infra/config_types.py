"""Types of the configuration's values: each reads what Pulumi hands over, or raises ValueError with what is allowed.

Pulumi hands scalars over as text and structures as JSON text; below `connections` the same values come as JSON. Both
are read. A message never repeats a secret.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, WrapValidator
from pydantic_core import PydanticCustomError

# A topic's name must not start with "goog": https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
NAME = r"(?!goog)[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
NAME_RULE = "lower-case letters, digits and hyphens, starting with a letter but not with goog, not ending with a hyphen, at most 63"
RESOURCE = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
NETWORK = rf"(projects/[a-z0-9:.-]+/global/networks/)?{RESOURCE}"
SUBNETWORK = rf"(projects/[a-z0-9:.-]+/regions/[a-z0-9-]+/subnetworks/)?{RESOURCE}"
CONNECTOR = r"(projects/[a-z0-9:.-]+/locations/[a-z0-9-]+/connectors/)?[a-z][-a-z0-9]{0,23}[a-z0-9]"
ATTACHMENT = rf"projects/[a-z0-9:.-]+/regions/[a-z0-9-]+/serviceAttachments/{RESOURCE}"
HOST = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
WORD = r"[^\s,]([^,\x00-\x1f]{0,38}[^\s,])?"
EMAIL = r"[^\s@]+@[^\s@]+\.[^\s@]+"
BUCKET = r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
CHANNEL = r"projects/[a-z0-9:.-]+/notificationChannels/\d+"
MEMBER = r"(user|serviceAccount|group):[^\s:@]+@[^\s:@]+\.[^\s:@]+|domain:[^\s:@]+\.[^\s:@]+|principal(Set)?://\S+"
# As the functions have it (settings_values.host): the last label of a name is not a number.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = rf"(?=.{{1,253}}$)(?:\*\.)?(?:{_LABEL}\.)*(?!(?:[0-9]+|0x[0-9a-f]*)$){_LABEL}"
RESERVED_LABELS = ("application", "connection", "managed-by")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PRIVATE = tuple(ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def decoded(value: object) -> object:
    """Parse JSON text; return anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def shown(value: object) -> str:
    """Shorten a value to what a message repeats of it."""
    whole = repr(value)
    return whole if len(whole) <= 80 else whole[:77] + "…"


def checked(right: Callable[[Any], object], problem: str) -> BeforeValidator:
    """Refuse a value that is not `right`, with the value and `problem`; pydantic turns the others into the field's
    type."""

    def check(value: object) -> object:
        if not right(value):
            raise ValueError(f"{shown(value)} {problem}")
        return value

    return BeforeValidator(check)


def boolean() -> BeforeValidator:
    words = ("True", "False", "true", "false")
    return checked(lambda value: str(value) in words, "is not a truth value; allowed are true and false")


def integer(low: int, high: int) -> BeforeValidator:
    def right(value: Any) -> bool:
        return re.fullmatch(r"-?\d{1,12}", str(value)) is not None and low <= int(value) <= high

    return checked(right, f"is not a whole number in range; allowed are {low} to {high}")


def choice(*allowed: str) -> BeforeValidator:
    return checked(allowed.__contains__, f"is not known; allowed are {', '.join(allowed)}")


def matching(pattern: str, allowed: str) -> BeforeValidator:
    return checked(lambda value: isinstance(value, str) and re.fullmatch(pattern, value), f"is not {allowed}")


def text(limit: int) -> BeforeValidator:
    def right(value: Any) -> bool:
        plain = str(value) if isinstance(decoded(value), (str, int)) and not isinstance(value, bool) else ""
        return bool(plain.strip()) and len(plain.encode()) <= limit and plain.isprintable()

    return checked(right, f"is not a line of text of 1 to {limit} bytes")


def secret(prefix: str) -> BeforeValidator:
    """Read one line of printable ASCII; a trailing newline is not part of it."""

    def read(value: object) -> str:
        plain = value.rstrip("\r\n") if isinstance(value, str) else ""
        if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", plain):
            raise ValueError("is not one line of printable ASCII characters")
        if not plain.startswith(prefix):
            raise ValueError(f"does not begin with {prefix!r}; is it the value of another key?")
        return plain

    return BeforeValidator(read)


def many(same: Callable[[str], str] = str) -> WrapValidator:
    """Read a list of which no two entries are equal under `same`."""

    def read(value: object, entries_of: Callable[[object], tuple[str, ...]]) -> tuple[str, ...]:
        values = decoded(value)
        if not isinstance(values, list):
            raise ValueError(f"{shown(value)} is not a list; set its first entry with the index [0]")
        entries = entries_of(values)
        keys = [same(entry) for entry in entries]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise entry_error(f"{entries[place]} is there more than once", f"[{place}]")
        return entries

    return WrapValidator(read)


def entry_error(problem: str, entry: str, *, remove: bool = True) -> PydanticCustomError:
    """Refuse the entry `[2]` or `.team` of a list or a map; with `remove` it has to go instead of being changed."""
    return PydanticCustomError("entry", "{problem}", {"problem": problem, "entry": entry, "remove": remove})


def labels(value: object) -> Mapping[str, str]:
    """Read a map by Google's label rules, narrowed to ASCII; our own keys are reserved."""
    given = decoded(value)
    if not isinstance(given, dict):
        raise ValueError(f"{shown(value)} is not a map of labels")
    if len(given) > 64 - len(RESERVED_LABELS):
        raise ValueError(f"{len(given)} labels are too many; a resource takes 64, three of them are ours")
    problems: list[tuple[str, str, bool]] = []  # key, problem, whether the key itself is wrong
    for key, label in given.items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key):
            problems.append(
                (key, f"label {key!r}: a key is a lower-case letter, then at most 62 of a-z, 0-9, _ and -", True)
            )
        if key in RESERVED_LABELS or key.startswith("goog"):
            problems.append((key, f"label {key!r} is reserved; choose another key", True))
        if not re.fullmatch(r"[a-z0-9_-]{0,63}", str(label)):
            problems.append((key, f"label {key!r}: a value is at most 63 of a-z, 0-9, _ and -", False))
    if problems:
        first, _, is_wrong_key = problems[0]
        entry = f'["{first}"]' if "." in first else f".{first}"
        raise entry_error("; ".join(text for _, text, _ in problems), entry, remove=is_wrong_key)
    return {key: str(label) for key, label in sorted(given.items())}


def private_host(value: object) -> str:
    """Read a host name, `*.` and a domain, an address or a network: what the functions take
    (`SMS_CALLBACK_PRIVATE_HOSTS`)."""
    host = value if isinstance(value, str) else ""
    if not re.fullmatch(_HOST_NAME, host) and not _is_network(host):
        raise ValueError(
            f"{shown(value)} is not a host name (crm.internal), a domain's names (*.internal), an address or a network "
            "(10.1.0.0/16); leave scheme, port and path out"
        )
    return host


def _is_network(host: str) -> bool:
    """Return True for an address or a network, but not for the network of all addresses."""
    try:
        return "%" not in host and ipaddress.ip_network(host, strict=False).prefixlen > 0
    except ValueError:
        return False


def provider_url(value: object) -> str:
    """Read an https address, or plain http to this machine (a simulator; on the platform the function refuses it)."""
    url = _split(value)
    fine = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
    if not fine or not url.hostname or url.username is not None or url.query or url.fragment:
        raise ValueError(f"{_masked(value)} is not an https:// address without user, query and fragment")
    return str(value).rstrip("/")


def callback_url(value: object) -> str:
    """Read where results are posted: with a query, where the receiver wants one."""
    url, ascii_only = _split(value), re.fullmatch(r"[!-\[\]-~]+", str(value))
    if url.scheme != "https" or not url.hostname or url.username is not None or url.fragment or not ascii_only:
        raise ValueError(f"{_masked(value)} is not an https:// address in ASCII without user and fragment")
    return str(value)


def proxy_url(value: object) -> str:
    url = _split(value)
    if url.scheme != "http" or not url.hostname or url.path not in ("", "/") or url.query or url.fragment:
        example = "http://proxy.example.com:3128 (TLS to it is proxy.ssl)"
        raise ValueError(f"{_masked(value)} is not a proxy's address like {example}")
    if url.username is not None:
        raise ValueError(
            "holds a user name or a password: set the secrets proxyUsername and proxyPassword, and proxy.auth"
        )
    if not url.port:
        raise ValueError(f"{_masked(value)} names no port; proxies have no usual one")
    return str(value).rstrip("/")


def address_range(value: object) -> str:
    try:
        network = ipaddress.IPv4Network(str(value))
    except ValueError:
        raise ValueError(f"{shown(value)} is not an IPv4 range like 10.8.0.0/24") from None
    if not any(network.subnet_of(private) for private in PRIVATE):
        raise ValueError(f"{network} is not a private range; a subnetwork takes one of 10/8, 172.16/12, 192.168/16")
    return str(network)


def member(value: object) -> str:
    """Read an IAM member that may call the connector; the public may not."""
    if value in ("allUsers", "allAuthenticatedUsers"):
        raise ValueError(f"{value} would make the private connector public; name users, groups or service accounts")
    if not isinstance(value, str) or not re.fullmatch(MEMBER, value):
        example = "user:ann@example.com or serviceAccount:app@project.iam.gserviceaccount.com"
        raise ValueError(f"{shown(value)} is not an IAM member like {example}")
    return value


def same_member(member: str) -> str:
    """Fold the case of an e-mail address, as IAM does: two grants of one are one, and go together."""
    return member if member.startswith("principal") else member.casefold()


def certificates(value: object) -> str:
    marks = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
    if not isinstance(value, str) or not all(mark in value for mark in marks):
        raise ValueError("is not in PEM form (-----BEGIN CERTIFICATE----- …)")
    if "PRIVATE KEY" in value:
        raise ValueError("holds a private key; give the certificates only")
    return value


def _split(value: object) -> SplitResult:
    """Split an address, with nothing in the parts of a text that is not one: no spaces, control characters,
    backslashes."""
    plain = value if isinstance(value, str) and not re.search(r"[\s\x00-\x1f\\]", value) else ""
    try:
        url = urlsplit(plain)
        _ = url.port
    except ValueError:
        return urlsplit("")
    return url


def _masked(value: object) -> str:
    """Cut out what may be a password in an address."""
    return repr(re.sub(r"//[^/@]*@", "//***@", str(value)[:80]))
