"""Errors in Google's shape, and what is done to values everywhere in the fake."""

from __future__ import annotations

import base64
import copy
import functools
import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.infra.fake_google.catalog import CODES, NUMBERS, Json


class ApiError(Exception):
    """An error answer in Google's JSON shape."""

    def __init__(self, code: int, message: str, status: str = "") -> None:
        super().__init__(message)
        usual, reason = CODES.get(code, "UNKNOWN unknown").split()
        detail = {"message": message, "domain": "global", "reason": reason}
        self.code = code
        self.answer = {"error": {"code": code, "message": message, "status": status or usual, "errors": [detail]}}


def need(ok: object, code: int, message: str, status: str = "") -> None:
    """Refuses the call unless ok."""
    if not ok:
        raise ApiError(code, message, status)


def stamp(after: str = "0s") -> str:
    """RFC 3339 time, a duration from now."""
    need(re.fullmatch(r"[\d.]+s", after), 400, f"Invalid duration {after!r}")
    return (datetime.now(UTC) + timedelta(seconds=float(after[:-1]))).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest(res: Json) -> str:
    return base64.b64encode(hashlib.sha1(json.dumps(res, sort_keys=True).encode()).digest()[:9]).decode()


def no_nulls(value: Json) -> Json:
    """For object_hook: in Google's JSON a null is an absent field."""
    return {k: v for k, v in value.items() if v is not None}


def no_secrets(value: Json) -> Json:
    """For object_hook: hides payloads of secret versions and credentials."""
    hidden = {"auth_token", "password", "service_key", "payload"}
    return {k: "***" if k in hidden else v for k, v in value.items()}


def fill(res: Json, values: Json, short: str = "") -> None:
    """Sets what is missing, in nested objects too."""
    makers: Json = {
        "@id": lambda: short,
        "@now": stamp,
        "@number": lambda: next(NUMBERS),
        "@uuid": lambda: str(uuid.uuid4()),
    }
    for key, value in values.items():
        if isinstance(value, dict):
            fill(res.setdefault(key, {}), value, short)
        elif key not in res:
            res[key] = makers[value]() if str(value) in makers else copy.deepcopy(value)


def apply_mask(res: Json, body: Json, mask: str) -> None:
    """Copies the masked fields from body to res; a masked field that body lacks is cleared."""
    for path in filter(None, mask.split(",")):
        first, *rest = path.split(".")
        keys, source, target = [re.sub("_(.)", lambda m: m[1].upper(), first), *rest], body, res
        for key in keys[:-1]:
            source, target = source.get(key) or {}, target.setdefault(key, {})
        if keys[-1] in source:
            target[keys[-1]] = copy.deepcopy(source[keys[-1]])
        else:
            target.pop(keys[-1], None)


CRC = [functools.reduce(lambda crc, _: (crc >> 1) ^ (0x82F63B78 & -(crc & 1)), range(8), row) for row in range(256)]


def crc32c(data: bytes) -> int:
    return functools.reduce(lambda crc, byte: CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8), data, 0xFFFFFFFF) ^ 0xFFFFFFFF


@dataclass
class Call:
    """A request after parsing. `parts` is the decoded path after the version, the project's number replaced by its id."""

    method: str
    service: str
    version: str
    parts: list[str]
    verb: str
    query: dict[str, str]
    body: Json
    raw: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = "/".join(self.parts)
        self.key = f"{self.service}/{self.name}"
