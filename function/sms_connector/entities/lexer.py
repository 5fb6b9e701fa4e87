"""Read `conditions`: refuse what is no expression of columns, and make it safe for SQLite.

SQLite itself parses the expression. What it can't be trusted with is done here: a comment that is not closed hides the
rest of a statement, a quoted word that is no column becomes a text, and a column may be a reserved word there (`To`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import NoReturn

import msgspec

from sms_connector.entity import Column, EntityType
from sms_connector.errors import FieldProblem, InvalidRequest

LONGEST = 20_000
_FUNCTIONS = "lower upper length substr trim coalesce ifnull nullif abs round date datetime"
FUNCTIONS = frozenset(_FUNCTIONS.split())
_WORDS = "AND OR NOT IN BETWEEN LIKE ESCAPE IS NULL ISNULL NOTNULL TRUE FALSE CASE WHEN THEN ELSE END"
_KEYWORDS = frozenset(_WORDS.split())
# Words of dates, with and without brackets; all in UTC.
_DATES = {
    "CURRENT_DATE": "date('now')",
    "CURRENT_TIMESTAMP": "datetime('now')",
    "TODAY": "date('now')",
    "YESTERDAY": "date('now','-1 day')",
    "NOW": "datetime('now')",
}
_REFUSED = {
    "SELECT": "subqueries are for executeSqlQuery",
    "EXISTS": "subqueries are for executeSqlQuery",
    "GLOB": "write LIKE, with % and _",
    "REGEXP": "write LIKE, with % and _",
    "MATCH": "write LIKE, with % and _",
}
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<comment>--|/\*)
    |(?P<text>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*"|\[[^\]]*\]|`(?:[^`]|``)*`)
    |(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<word>[^\W\d]\w*)
    |(?P<sign>\|\||<=|>=|<>|!=|==|[-+*/=<>(),])""",
    re.VERBOSE,
)
_BARE_ID = re.compile(r"[A-Za-z0-9~+._-]+")
_DAY = re.compile(r"'([0-9]{4}-[0-9]{2}-[0-9]{2})'")
_EQUAL = {"=": "LIKE", "==": "LIKE", "<>": "NOT LIKE", "!=": "NOT LIKE"}
_BINDS_TIGHTER = frozenset(("||", "+", "-", "*", "/"))
_WRONG_CHARACTERS = {
    **dict.fromkeys("‘’‚‛“”„‟´′″", "is a typographic quote; write '"),
    "'": "begins a text that does not end; double a ' inside a text",
    '"': "begins a name that does not end",
    "[": "begins a name that does not end",
    "`": "begins a name that does not end",
    ";": "is not allowed: write one expression",
    "?": "is not allowed: write the value itself",
    ":": "is not allowed outside a text: write the value itself",
    "\0": "is not allowed",
}


class Token(msgspec.Struct):
    """A token: `kind` is that of the pattern, or `column`; `start` its place in the caller's text."""

    kind: str
    text: str
    start: int
    column: Column | None = None


class Condition(msgspec.Struct, frozen=True):
    """A condition that may be put into a statement, the columns it names, or the id in its place."""

    sql: str = ""
    columns: frozenset[str] = frozenset()
    bare_id: str | None = None
    places: tuple[tuple[int, int], ...] = ()

    def place_of(self, offset: int) -> int:
        """Return the place in the caller's text of an offset in `sql`, from 1."""
        index = bisect_right(self.places, (offset, 1 << 30)) - 1
        return 1 + (self.places[index][1] if index >= 0 else 0)


def read_condition(text: str, entity: EntityType, *, field: str = "conditions") -> Condition:
    """Read a condition. Raises InvalidRequest with the position of what is wrong."""
    if len(text) > LONGEST:
        raise InvalidRequest(FieldProblem(field, f"has {len(text)} characters; at most {LONGEST} are allowed"))
    stripped = text.strip()
    names = {column.name.lower(): column for column in entity.columns}
    if _BARE_ID.fullmatch(stripped) and stripped.lower() not in names and not _is_word(stripped):
        return Condition(bare_id=stripped)
    reader = _Reader(names, field)
    tokens = list(_rewrite(reader.read(text)))
    if not tokens:
        raise InvalidRequest(FieldProblem(field, "is empty; write a condition such as Status='sent', or an id"))
    sql, places = _write(_fence_alternatives(tokens))
    return Condition(sql, frozenset(each.column.name for each in tokens if each.column), places=places)


def _is_word(text: str) -> bool:
    return text.upper() in _KEYWORDS or text.upper() in _DATES


class _Reader:
    """Turns text into tokens, with names checked and columns quoted."""

    def __init__(self, names: Mapping[str, Column], field: str) -> None:
        self._names = names
        self._field = field

    def read(self, text: str) -> list[Token]:
        tokens, place, depth = [], 0, 0
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                self._refuse(place, f"{text[place]!r} {_WRONG_CHARACTERS.get(text[place], 'is not allowed here')}")
            kind, found = str(match.lastgroup), match[0]
            if kind == "comment":
                self._refuse(place, f"{found!r} begins a comment, which is not allowed")
            depth += (found == "(") - (found == ")") if kind == "sign" else 0
            if depth < 0:
                self._refuse(place, "')' closes no bracket")
            if kind != "space":
                tokens.append(Token(kind, found, place))
            place = match.end()
        if depth:
            self._refuse(len(text), "a bracket is not closed")
        return list(self._name(tokens))

    def _name(self, tokens: list[Token]) -> Iterator[Token]:
        skip = 0
        for index, token in enumerate(tokens):
            if skip:
                skip -= 1
            elif token.kind == "quoted":
                yield self._column(token, _unquote(token.text))
            elif token.kind != "word":
                yield token
            else:
                following = [each.text for each in tokens[index + 1 : index + 3]]
                skip = 2 if token.text.upper() in _DATES and following == ["(", ")"] else 0
                yield self._word(token, is_call=following[:1] == ["("])

    def _word(self, token: Token, *, is_call: bool) -> Token:
        upper = token.text.upper()
        if upper in _DATES:
            return Token("date", _DATES[upper], token.start)
        if upper in _KEYWORDS:
            return Token("keyword", upper, token.start)
        if upper in _REFUSED:
            self._refuse(token.start, f"{upper} is not allowed here; {_REFUSED[upper]}")
        if is_call:
            if token.text.lower() not in FUNCTIONS:
                known = ", ".join(sorted(FUNCTIONS))
                self._refuse(token.start, f"{token.text[:40]}() is not allowed; the functions are {known}")
            return token
        return self._column(token, token.text)

    def _column(self, token: Token, name: str) -> Token:
        column = self._names.get(name.lower())
        if column is None:
            self._refuse(token.start, self._explain(name, quoted=token.text.startswith('"')))
        if column.write_only:
            self._refuse(token.start, f"{column.name} can be written only: no row has it")
        return Token("column", f'"{column.name}"', token.start, column)

    def _explain(self, name: str, *, quoted: bool) -> str:
        from difflib import get_close_matches  # only a wrong condition pays for it

        lower = name.lower()
        for column in self._names.values():
            others = (column.field, *(change.parameter for change in (column.create, column.update) if change))
            if lower in {other.lower() for other in others if other}:
                return f"{name[:40]} is called {column.name} here"
        hint = "; a text stands in '…'" if quoted else ""
        nearest = get_close_matches(lower, self._names, n=1)
        known = f"did you mean {self._names[nearest[0]].name}?" if nearest else "GET the entity type lists them"
        return f"{name[:40]!r} is no column: {known}{hint}"

    def _refuse(self, place: int, message: str) -> NoReturn:
        raise InvalidRequest(FieldProblem(self._field, f"at position {place + 1}: {message}"))


def _unquote(text: str) -> str:
    quote = text[-1]
    inner = text[1:-1]
    return inner if quote == "]" else inner.replace(quote * 2, quote)


def _rewrite(tokens: list[Token]) -> Iterator[Token]:
    """Let `=` with a bare day mean that day, and 'true' and 'false' beside a BOOLEAN column its values."""
    kind = None
    operator: Token | None = None
    for index, token in enumerate(tokens):
        if token.column is not None:
            kind = token.column.type
        elif token.text in ("AND", "OR"):
            kind = None
        previous = tokens[index - 1] if index else None
        if operator is not None and previous is operator:
            day = _DAY.fullmatch(token.text)
            following = tokens[index + 1].text if index + 1 < len(tokens) else ""
            if day and following not in _BINDS_TIGHTER:
                yield Token("keyword", _EQUAL[operator.text], operator.start)
                token = Token("text", f"'{day[1]}%'", token.start)
            else:
                yield operator
            operator = None
        if kind == "BOOLEAN" and token.kind == "text" and token.text.lower() in ("'true'", "'false'"):
            yield Token("number", str(int(token.text.lower() == "'true'")), token.start)
        elif token.text in _EQUAL and previous and previous.column and previous.column.type == "TIMESTAMP":
            operator = token
        else:
            yield token
    if operator is not None:
        yield operator


def _fence_alternatives(tokens: list[Token]) -> Iterator[Token]:
    """Put a `+` before each part of the AND level that has an OR in it: SQLite then makes one scan, whose place a page
    token can name, instead of one for each side."""
    parts: list[list[Token]] = [[]]
    depth, between = 0, 0
    alternative = False
    for token in tokens:
        depth += (token.text in ("(", "CASE")) - (token.text in (")", "END")) if token.kind != "text" else 0
        between += token.text == "BETWEEN" and not depth
        if not depth and token.text == "AND" and token.kind == "keyword":
            if not between:
                parts.append([])
                continue
            between -= 1
        alternative |= not depth and token.text == "OR" and token.kind == "keyword"
        parts[-1].append(token)
    for index, part in enumerate([tokens] if alternative else parts):
        if index:
            yield Token("keyword", "AND", part[0].start if part else 0)
        fenced = any(token.text == "OR" and token.kind == "keyword" for token in part)
        yield from (Token("sign", "+(", part[0].start), *part, Token("sign", ")", part[-1].start)) if fenced else part


def _write(tokens: Iterator[Token]) -> tuple[str, tuple[tuple[int, int], ...]]:
    pieces, places, length = [], [], 0
    for token in tokens:
        places.append((length, token.start))
        pieces.append(token.text)
        length += len(token.text) + 1
    return " ".join(pieces), tuple(places)
