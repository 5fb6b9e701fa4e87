"""Errors as they are answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from sms_connector.api.schemas.base import Maybe, Payload
from sms_connector.errors import ErrorKind, FieldProblem, RetrySafety

Line = Annotated[int, Meta(description="Of a file: the line on which the record begins, from 1.")]


class WarningInfo(Payload):
    """Something odd about a request that is carried out all the same; `strict` refuses it."""

    field: str
    kind: ErrorKind
    message: str
    line: Maybe[Line] = UNSET


Warnings = Annotated[list[WarningInfo], Meta(description="What looks wrong and is done; the first 100.")]


def write_warnings(problems: Iterable[FieldProblem]) -> list[WarningInfo]:
    return [
        WarningInfo(each.field, each.kind, each.message, UNSET if each.line is None else each.line) for each in problems
    ]


class ProblemDetail(Payload, kw_only=True):
    """One thing that is wrong. Which members are there depends on what it is about."""

    field: Annotated[str, Meta(description="Path of the field, as the caller wrote it.")] | UnsetType = UNSET
    line: Maybe[Line] = UNSET
    kind: ErrorKind
    message: Annotated[str, Meta(description="There where several things are wrong.")] | UnsetType = UNSET
    retry: Maybe[RetrySafety] = UNSET
    retry_after_millis: Maybe[int] = UNSET
    code: Annotated[int | str, Meta(description="The provider's own code.")] | UnsetType = UNSET
    more_info: Annotated[str, Meta(description="The provider's own link.")] | UnsetType = UNSET


class Problem(Payload):
    """`status` is a google.rpc code; programs branch on it and on `details[].kind`, people read `message`."""

    code: Annotated[int, Meta(description="The HTTP status.")]
    status: str
    message: Annotated[str, Meta(description="What is wrong and how to fix it. Wording may change.")]
    details: list[ProblemDetail]


class ProblemDocument(Payload):
    """The answer of every request that failed."""

    error: Problem
