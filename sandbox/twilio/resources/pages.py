"""Pages of lists: what a request asks for, which rows are on the page, and the links around them.

A token is `PA` or `PB` and the key of the row beside the page, so that pages don't shift when rows arrive; of lists that are
worked out for each request it is `AP` and the page's number in base64. Both forms are in the document's examples.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.listing import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, read_whole
from sandbox.twilio.resources.store import Row, Shelf

Values = Mapping[str, Any]
Item = tuple[Row, Values]


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page; `filters` are the pairs that its links repeat."""

    path: str
    filters: Sequence[tuple[str, str]]
    size: int
    number: int
    token: str | None


@dataclass(frozen=True, slots=True)
class Turned:
    """One page's items, and the tokens of its neighbours."""

    items: Sequence[Any]
    after: str | None
    before: str | None


def read_page_query(path: str, query: Sequence[tuple[str, str]], *, filters: Sequence[str] = ()) -> PageQuery:
    """Raises TwilioError for a size or number that can be none."""
    given = dict(query)
    size = read_whole("PageSize", given.get("PageSize", str(DEFAULT_PAGE_SIZE)))
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise TwilioError(20007)
    kept = [(name, value) for name, value in query if name in filters]
    return PageQuery(path, kept, size, read_whole("Page", given.get("Page", "0")), given.get("PageToken"))


def turn_to(
    shelf: Shelf, query: PageQuery, *, select: Callable[[Row], Values | None], oldest_first: bool = False
) -> Turned:
    """Return a page of a shelf; `select` answers what a row is shown with, None to leave it out.

    Raises TwilioError 21481 for a token that was never given.
    """
    forward, anchor = _anchor(shelf, query.token)
    upward = oldest_first is forward
    found = list(islice(_items(_from(shelf, anchor, upward=upward), select), query.size + 1))
    more, items = len(found) > query.size, found[: query.size]
    if not forward:
        items.reverse()
    has_after, has_before = (more, anchor is not None) if forward else (True, more)
    return Turned(
        items,
        after=f"PA{items[-1][0].key}" if items and has_after else None,
        before=f"PB{items[0][0].key}" if items and has_before else None,
    )


def number_pages(items: Sequence[Any], query: PageQuery) -> Turned:
    """Return a page of a list that is worked out for each request."""
    number = _page_number(query.token)
    start = number * query.size
    return Turned(
        items[start : start + query.size],
        after=_number_token(number + 1) if start + query.size < len(items) else None,
        before=_number_token(number - 1) if number else None,
    )


def frame_2010(query: PageQuery, page: Turned) -> dict[str, Any]:
    """Return the members around a list of the 2010 API; links are paths."""
    start = query.number * query.size
    return {
        "first_page_uri": _link(query, 0, None),
        "end": start + max(len(page.items) - 1, 0),
        "next_page_uri": _link(query, query.number + 1, page.after) if page.after else None,
        "page": query.number,
        "page_size": query.size,
        "previous_page_uri": _link(query, max(query.number - 1, 0), page.before) if page.before else None,
        "start": start,
        "uri": _link(query, query.number, query.token),
    }


def frame_meta(query: PageQuery, page: Turned, *, key: str, origin: str) -> dict[str, Any]:
    """Return the `meta` of a list of the younger APIs; links are whole URLs."""

    def url(number: int, token: str | None) -> str:
        return origin + _link(query, number, token)

    return {
        "first_page_url": url(0, None),
        "key": key,
        "next_page_url": url(query.number + 1, page.after) if page.after else None,
        "page": query.number,
        "page_size": query.size,
        "previous_page_url": url(max(query.number - 1, 0), page.before) if page.before else None,
        "url": url(query.number, query.token),
    }


def _anchor(shelf: Shelf, token: str | None) -> tuple[bool, Row | None]:
    """Return whether to go on, and from which row; without a token from the first."""
    if token is None:
        return True, None
    row = shelf.by_key.get(token[2:])
    if row is None or token[:2] not in ("PA", "PB"):
        raise TwilioError(21481)
    return token[:2] == "PA", row


def _from(shelf: Shelf, anchor: Row | None, *, upward: bool) -> Iterator[Row]:
    if upward:
        start = 0 if anchor is None else shelf.position(anchor) + 1
        return (shelf.rows[index] for index in range(start, len(shelf.rows)))
    start = len(shelf.rows) if anchor is None else shelf.position(anchor)
    return (shelf.rows[index] for index in range(start - 1, -1, -1))


def _items(rows: Iterator[Row], select: Callable[[Row], Values | None]) -> Iterator[Item]:
    for row in rows:
        values = select(row)
        if values is not None:
            yield row, values


def _link(query: PageQuery, number: int, token: str | None) -> str:
    fields = [*query.filters, ("PageSize", str(query.size)), ("Page", str(number))]
    fields += [("PageToken", token)] if token else []
    return f"{query.path}?{urlencode(fields, quote_via=quote)}"


def _number_token(number: int) -> str:
    return "AP" + b64encode(str(number).encode()).decode()


def _page_number(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(b64decode(token.removeprefix("AP"), validate=True))
    except ValueError:
        raise TwilioError(21481) from None
