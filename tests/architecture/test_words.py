"""Identifiers use the field's words: none of the words that the glossary replaced comes back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.source_tree import PRODUCT_ROOMS, Source, expect_none, sources

# Each stood for what has a standard name: status event, apply report, maintenance job, stop signal, problem, outcome, package, …
_REPLACED = (
    "news hear heard told tell ticker tick halting halts mend anew forgo approach fate stranger strangers flaw flaws "
    "mistake mistakes trouble somebody nobody whoever workshop surroundings house room dress unawaited"
)
REPLACED = frozenset(_REPLACED.split())
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def named_in(source: Source) -> Iterator[tuple[int, str]]:
    """Line and name of everything a file defines: functions, classes, parameters, variables, attributes."""
    for node in ast.walk(source.tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def is_replaced(name: str) -> bool:
    return any(word.lower() in REPLACED for word in _WORD.findall(name))


@pytest.mark.parametrize("room", PRODUCT_ROOMS)
def test_no_identifier_has_a_replaced_word(room: str) -> None:
    expect_none(
        f"{source.name}:{line} {name}"
        for source in sources(room)
        for line, name in named_in(source)
        if is_replaced(name)
    )


@pytest.mark.parametrize("name", ["news", "HeardNews", "_is_told", "write_news_of", "FLAW"])
def test_a_replaced_word_is_found_in_every_form(name: str) -> None:
    assert is_replaced(name)


@pytest.mark.parametrize("name", ["storyteller", "headroom", "stick", "record_events"])
def test_a_word_within_a_word_is_another_one(name: str) -> None:
    assert not is_replaced(name)
