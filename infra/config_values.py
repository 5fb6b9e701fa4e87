"""Readers of single configuration values: each turns what Pulumi hands over into a typed value, or raises Wrong with what is allowed.

Pulumi hands scalars over as text and structures as JSON text; below `connections` the same values come as JSON. Both are read.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

Reader = Callable[[object], Any]

# As the functions have it (settings_values.host): the last label of a name is not a number.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = rf"(?=.{{1,253}}$)(?:\*\.)?(?:{_LABEL}\.)*(?!(?:[0-9]+|0x[0-9a-f]*)$){_LABEL}"


class Wrong(ValueError):
    """A value isn't allowed; the message says what is, and never repeats a secret.

    `entry` is the place of the wrong one in a list or a map (`[2]`, `.team`), `surplus` that it has to go, not to change.
    """

    def __init__(self, message: str, *, entry: str = "", surplus: bool = False) -> None:
        super().__init__(message)
        self.entry = entry
        self.surplus = surplus


class SecretText:
    """A secret value on its way to Secret Manager: shown as '***' wherever it would be printed."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "'***'"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def decoded(value: object) -> object:
    """JSON text as what it says; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def boolean(value: object) -> bool:
    words = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in words:
        return words[value]
    raise Wrong(f"{shown(value)} is not a truth value; allowed are true and false")


def integer(low: int, high: int) -> Reader:
    def read(value: object) -> int:
        number = value if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
        if not re.fullmatch(r"-?\d{1,12}", str(number)):
            raise Wrong(f"{shown(value)} is not a whole number; allowed are {low} to {high}")
        if not low <= int(number) <= high:
            raise Wrong(f"{number} is out of range; allowed are {low} to {high}")
        return int(number)

    return read


def choice(allowed: Sequence[str]) -> Reader:
    def read(value: object) -> str:
        if value not in allowed:
            raise Wrong(f"{shown(value)} is not known; allowed are {', '.join(allowed)}")
        return str(value)

    return read


def text(limit: int) -> Reader:
    def read(value: object) -> str:
        scalar = isinstance(decoded(value), (str, int)) and not isinstance(value, bool)
        plain = str(value) if scalar else ""
        if not plain.strip() or len(plain.encode()) > limit or not plain.isprintable():
            raise Wrong(f"{shown(value)} is not a line of text of 1 to {limit} bytes")
        return plain

    return read


def matching(pattern: str, allowed: str) -> Reader:
    def read(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise Wrong(f"{shown(value)} is not {allowed}")
        return value

    return read


def private_host(value: object) -> str:
    """A host name, `*.` and a domain, an address or a network: what the functions take (`SMS_CALLBACK_PRIVATE_HOSTS`)."""
    text = value if isinstance(value, str) else ""
    if not re.fullmatch(_HOST_NAME, text) and not _is_network(text):
        raise Wrong(
            f"{shown(value)} is not a host name (crm.internal), a domain's names (*.internal), an address or a network "
            "(10.1.0.0/16); leave scheme, port and path out"
        )
    return text


def _is_network(text: str) -> bool:
    """Whether it is an address or a network, but not the network of all addresses."""
    try:
        return "%" not in text and ipaddress.ip_network(text, strict=False).prefixlen > 0
    except ValueError:
        return False


def many(item: Reader, *, same: Callable[[str], str] = str) -> Reader:
    """A list of different things, each read by `item`; two are the same where `same` makes them equal."""

    def read(value: object) -> tuple[Any, ...]:
        values = decoded(value)
        if not isinstance(values, list):
            raise Wrong(f"{shown(value)} is not a list; set its first entry with the index [0]")
        problems = {f"[{place}]": problem for place, entry in enumerate(values) if (problem := _flaw(item, entry))}
        if problems:
            told = [problem if len(values) == 1 else f"{place} {problem}" for place, problem in problems.items()]
            raise Wrong("; ".join(told), entry=next(iter(problems)))
        found = [item(entry) for entry in values]
        keys = [same(str(entry)) for entry in found]
        repeated = [place for place, key in enumerate(keys) if key in keys[:place]]
        if repeated:
            first = repeated[0]
            raise Wrong(f"{found[first]} is there more than once", entry=f"[{first}]", surplus=True)
        return tuple(found)

    return read


def _flaw(item: Reader, entry: object) -> str:
    try:
        item(entry)
    except Wrong as wrong:
        return str(wrong)
    return ""


RESERVED_LABELS = ("application", "connection", "managed-by")


def labels(value: object) -> Mapping[str, str]:
    """Google's label rules, narrowed to ASCII; our own keys are ours."""
    given = decoded(value)
    if not isinstance(given, dict):
        raise Wrong(f"{shown(value)} is not a map of labels")
    if len(given) > 64 - len(RESERVED_LABELS):
        raise Wrong(f"{len(given)} labels are too many; a resource takes 64, three of them are ours")
    problems = {key: found for key, label in given.items() if (found := _label_problems(key, str(label)))}
    if problems:
        told = "; ".join(problem for found in problems.values() for problem in found)
        first = next(iter(problems))
        raise Wrong(
            told, entry=f'["{first}"]' if "." in first else f".{first}", surplus=bool(_label_key_problems(first))
        )
    return {key: str(label) for key, label in sorted(given.items())}


def _label_problems(key: str, value: str) -> list[str]:
    problems = _label_key_problems(key)
    if not re.fullmatch(r"[a-z0-9_-]{0,63}", value):
        problems.append(f"label {key!r}: a value is at most 63 of a-z, 0-9, _ and -")
    return problems


def _label_key_problems(key: str) -> list[str]:
    problems = []
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key):
        problems.append(f"label {key!r}: a key is a lower-case letter, then at most 62 of a-z, 0-9, _ and -")
    if key in RESERVED_LABELS or key.startswith("goog"):
        problems.append(f"label {key!r} is reserved; choose another key")
    return problems


LOOPBACK = ("localhost", "127.0.0.1", "::1")


def provider_url(value: object) -> str:
    """https, or plain http to this machine (a simulator beside the function; on the platform the function refuses it)."""
    url = _split(value)
    fine = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
    if not fine or not url.hostname or url.username is not None or url.query or url.fragment:
        raise Wrong(f"{_masked(value)} is not an https:// address without user, query and fragment")
    return str(value).rstrip("/")


def callback_url(value: object) -> str:
    """Where results are posted: with a query, where the receiver wants one. Receivers know us by our signature."""
    url = _split(value)
    if url.scheme != "https" or not url.hostname or url.username is not None or url.fragment or not _is_word(value):
        raise Wrong(f"{_masked(value)} is not an https:// address in ASCII without user and fragment")
    return str(value)


def _is_word(value: object) -> bool:
    return re.fullmatch(r"[!-\[\]-~]+", str(value)) is not None


def proxy_url(value: object) -> str:
    url = _split(value)
    if url.scheme != "http" or not url.hostname or url.path not in ("", "/") or url.query or url.fragment:
        raise Wrong(
            f"{_masked(value)} is not a proxy's address like http://proxy.example.com:3128 (TLS to it is proxy.ssl)"
        )
    if url.username is not None:
        raise Wrong(
            "holds a user name or a password; they are secrets: set proxyUsername and proxyPassword, and proxy.auth"
        )
    if not url.port:
        raise Wrong(f"{_masked(value)} names no port; proxies have no usual one")
    return str(value).rstrip("/")


PRIVATE = tuple(ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def address_range(value: object) -> str:
    try:
        network = ipaddress.IPv4Network(str(value))
    except ValueError:
        raise Wrong(f"{shown(value)} is not an IPv4 range like 10.8.0.0/24") from None
    if not any(network.subnet_of(private) for private in PRIVATE):
        raise Wrong(f"{network} is not a private range; a subnetwork takes one of 10/8, 172.16/12, 192.168/16")
    return str(network)


def member(value: object) -> str:
    """An IAM member that may call the connector; the public is none."""
    if value in ("allUsers", "allAuthenticatedUsers"):
        raise Wrong(f"{value} would make the private connector public; name users, groups or service accounts")
    kinds = r"(user|serviceAccount|group):[^\s:@]+@[^\s:@]+\.[^\s:@]+|domain:[^\s:@]+\.[^\s:@]+|principal(Set)?://\S+"
    if not isinstance(value, str) or not re.fullmatch(kinds, value):
        raise Wrong(
            f"{shown(value)} is not an IAM member like user:ann@example.com or serviceAccount:app@project.iam.gserviceaccount.com"
        )
    return value


def same_member(member: str) -> str:
    """IAM doesn't tell the cases of an e-mail address apart: two grants of one are one, and go together."""
    return member if member.startswith("principal") else member.casefold()


def certificates(value: object) -> str:
    if (
        not isinstance(value, str)
        or "-----BEGIN CERTIFICATE-----" not in value
        or "-----END CERTIFICATE-----" not in value
    ):
        raise Wrong("is not in PEM form (-----BEGIN CERTIFICATE----- …)")
    if "PRIVATE KEY" in value:
        raise Wrong("holds a private key; give the certificates only")
    return value


def secret(prefix: str = "") -> Reader:
    """A secret value: one line of printable ASCII; a trailing newline is not part of it."""

    def read(value: object) -> SecretText:
        plain = value.rstrip("\r\n") if isinstance(value, str) else ""
        if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", plain):
            raise Wrong("is not one line of printable ASCII characters")
        if not plain.startswith(prefix):
            raise Wrong(f"does not begin with {prefix!r}; is it the value of another key?")
        return SecretText(plain)

    return read


def _split(value: object) -> SplitResult:
    """The parts of an address; of what is none, nothing. Spaces, control characters and backslashes are in none."""
    plain = value if isinstance(value, str) and not re.search(r"[\s\x00-\x1f\\]", value) else ""
    try:
        url = urlsplit(plain)
        _ = url.port
    except ValueError:
        return urlsplit("")
    return url


def _masked(value: object) -> str:
    """An address without what may be a password in it."""
    return repr(re.sub(r"//[^/@]*@", "//***@", str(value)[:80]))


def shown(value: object) -> str:
    """A value as a message repeats it."""
    whole = repr(value)
    return whole if len(whole) <= 80 else whole[:77] + "…"
