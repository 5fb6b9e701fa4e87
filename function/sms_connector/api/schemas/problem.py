"""Errors as they are answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from sms_connector.api.schemas.base import Payload
from sms_connector.errors import ErrorKind, FieldProblem, RetrySafety

Line = Annotated[int, msgspec.Meta(description="Of a file: the line on which the record begins, from 1.")]


class WarningInfo(Payload):
    """Something odd about a request that is carried out all the same; `strict` refuses it."""

    field: str
    kind: ErrorKind
    message: str
    line: Line | UnsetType = UNSET


Warnings = Annotated[list[WarningInfo], msgspec.Meta(description="What looks wrong and is done; the first 100.")]


def write_warnings(problems: Iterable[FieldProblem]) -> list[WarningInfo]:
    return [
        WarningInfo(each.field, each.kind, each.message, UNSET if each.line is None else each.line) for each in problems
    ]


class ProblemDetail(Payload, kw_only=True):
    """One thing that is wrong. Which members are there depends on what it is about."""

    field: Annotated[str, msgspec.Meta(description="Path of the field, as the caller wrote it.")] | UnsetType = UNSET
    line: Line | UnsetType = UNSET
    kind: ErrorKind
    message: Annotated[str, msgspec.Meta(description="There where several things are wrong.")] | UnsetType = UNSET
    retry: RetrySafety | UnsetType = UNSET
    retry_after_millis: int | UnsetType = UNSET
    code: Annotated[int | str, msgspec.Meta(description="The provider's own code.")] | UnsetType = UNSET
    more_info: Annotated[str, msgspec.Meta(description="The provider's own link.")] | UnsetType = UNSET


class Problem(Payload):
    """`status` is a google.rpc code; programs branch on it and on `details[].kind`, people read `message`."""

    code: Annotated[int, msgspec.Meta(description="The HTTP status.")]
    status: str
    message: Annotated[str, msgspec.Meta(description="What is wrong and how to fix it. Wording may change.")]
    details: list[ProblemDetail]


class ProblemDocument(Payload):
    """The answer of every request that failed."""

    error: Problem
