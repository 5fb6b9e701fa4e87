"""The logs of the last 48 hours. Reports and inbound messages that a GET gives once only are not simulated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import parse_qs

from sandbox.infobip.errors import InfobipError
from sandbox.infobip.models import Book, Message, log_document
from sandbox.infobip.numbers import plain
from sandbox.infobip.statuses import STATUS_GROUPS, STATUSES
from sandbox.infobip.validation import read_date

KEPT_SECONDS = 48 * 3_600
DEFAULT_LIMIT, MOST = 50, 1_000
MOST_CHARACTERS = 2_048


class Query:
    """The filters of a query. A list is given by commas, by repeating the name, or both."""

    def __init__(self, text: str) -> None:
        self._values = parse_qs(text)

    def one(self, name: str) -> str | None:
        return self._values.get(name, [None])[-1]

    def several(self, name: str) -> frozenset[str]:
        """Return an empty set for a filter that is absent."""
        joined = ",".join(self._values.get(name, []))
        if len(joined) > MOST_CHARACTERS:
            raise InfobipError(400, [(name, f"size must be between 0 and {MOST_CHARACTERS}")])
        return frozenset(joined.split(",")) - {""}

    def limit(self) -> int:
        text = self.one("limit") or str(DEFAULT_LIMIT)
        if not text.isdigit() or not 1 <= int(text) <= MOST:
            raise InfobipError(400, [("limit", f"must be between 1 and {MOST}")])
        return int(text)

    def time(self, name: str, default: float) -> float:
        text = self.one(name)
        # A plus that was not encoded arrives as a space.
        moment = default if text is None else read_date(text.replace(" ", "+"))
        if math.isnan(moment):
            raise InfobipError(400, [(name, "must have the format yyyy-MM-dd'T'HH:mm:ss.SSSZ")])
        return moment


def list_logs(book: Book, query: Query, *, now: float) -> dict[str, Any]:
    """Return logs, newest first; nothing is consumed. With `useCursor` the next page begins after the cursor."""
    limit, cursor = query.limit(), query.one("cursor") or ""
    before = int(cursor) if cursor.isdigit() else math.inf
    matching = (each for each in _matching(book, query, now=now) if each.logged and each.sequence < before)
    found = list(islice(matching, limit))
    answer: dict[str, Any] = {"results": [log_document(message, now) for message in found]}
    if query.one("useCursor") == "true":
        following = {"nextCursor": str(found[-1].sequence)} if len(found) == limit else {}
        answer["cursor"] = {"limit": limit, **following}
    return answer


def _matching(book: Book, query: Query, *, now: float) -> Iterator[Message]:
    """Return the messages that fit the query, newest first."""
    ids, bulks, campaigns = (query.several(name) for name in ("messageId", "bulkId", "campaignReferenceId"))
    since, until = max(query.time("sentSince", 0.0), now - KEPT_SECONDS), query.time("sentUntil", math.inf)
    sender, destination, group = query.one("sender"), query.one("destination"), query.one("generalStatus")
    platform = {name: value for name in ("entityId", "applicationId") if (value := query.one(name))}
    for message in _indexed(book, ids, bulks):
        if (
            (not ids or message.id in ids)
            and (not bulks or message.bulk.id in bulks)
            and (not campaigns or message.draft.campaign in campaigns)
            and since <= message.bulk.send_at <= until
            and (sender is None or message.sender == plain(sender))
            and (destination is None or message.to == plain(destination))
            and (group is None or _group(message.stage(now)[1]) == group)
            and platform.items() <= message.draft.platform.items()
        ):
            yield message


def _indexed(book: Book, ids: frozenset[str], bulks: frozenset[str]) -> Iterable[Message]:
    """Return all that can fit, newest first, by the smaller index."""
    if not ids and not bulks:
        return (each for each in reversed(book.everything) if isinstance(each, Message))
    index, wanted = (book.by_id, ids) if ids else (book.by_bulk, bulks)
    found = [message for name in wanted for message in index.get(name, ())]
    return sorted(found, key=lambda message: -message.sequence)


def _group(status: int) -> str:
    return STATUS_GROUPS[STATUSES[status][0]]
