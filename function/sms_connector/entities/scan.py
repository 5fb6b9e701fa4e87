"""Read a provider's rows: page by page as they are asked for, within limits, from any place on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, NoReturn

import msgspec

from sms_connector.entity import EntitySource, EntityType, Narrowing, Row, RowPage
from sms_connector.errors import FieldProblem, InvalidRequest

KEPT_PAGES = 8
KEPT_SECONDS = 30.0


class Place(NamedTuple):
    """A row's place in a scan: which list of several, the provider's page, and the row in it."""

    part: int = 0
    page: str = ""
    offset: int = 0


class Limits(msgspec.Struct, frozen=True):
    """What one request may read. `stops`: at the limit of calls the scan ends and says where, instead of failing."""

    calls: int
    rows: int
    seconds: float
    stops: bool = False


class Scan(msgspec.Struct, frozen=True):
    """What of an entity type is read: by `keys` one call each, else the lists `within` each of these parents' values,
    as far as the provider narrows them."""

    entity: EntityType
    keys: tuple[Mapping[str, str], ...] = ()
    within: tuple[Mapping[str, str], ...] = ({},)
    narrowed: tuple[Narrowing, ...] = ()
    by_key: bool = False


class PageCache:
    """The last pages that were read, for requests that go on from a page token. Thread-safe."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._pages: OrderedDict[str, tuple[float, RowPage]] = OrderedDict()

    def find(self, key: str) -> RowPage | None:
        with self._lock:
            at, page = self._pages.get(key, (0.0, None))
            return page if page is not None and self._now() - at < KEPT_SECONDS else None

    def keep(self, key: str, page: RowPage) -> None:
        with self._lock:
            self._pages[key] = (self._now(), page)
            self._pages.move_to_end(key)
            while len(self._pages) > KEPT_PAGES:
                self._pages.popitem(last=False)


class Reader:
    """Reads the pages of one request. `kept`: pages read before it, where it may use them. `statement`: what it reads
    is kept until its end, since a join reads the same list again and again."""

    def __init__(
        self,
        source: EntitySource,
        limits: Limits,
        now: Callable[[], float],
        *,
        kept: PageCache | None = None,
        statement: bool = False,
        field: str = "conditions",
    ) -> None:
        self._source = source
        self._limits = limits
        self._now = now
        self._until = now() + limits.seconds
        self._kept = kept
        self._own: dict[str, RowPage] | None = {} if statement else None
        self._field = field
        self.goes_on = False
        self.calls = 0
        self.rows = 0
        self.stopped: Place | None = None

    @property
    def is_late(self) -> bool:
        return self._now() > self._until

    def read(self, scan: Scan, start: Place | None = None) -> Iterator[tuple[Row, Place]]:
        """Yield the rows and their places, from `start` on."""
        self.goes_on = start is not None
        begin = start or Place()
        if scan.by_key:
            for part in range(begin.part, len(scan.keys)):
                row = self._get(scan.entity, scan.keys[part])
                if row is not None:
                    yield row, Place(part)
            return
        for part in range(begin.part, len(scan.within)):
            yield from self._read_list(scan, part, begin if part == begin.part else Place(part))
            if self.stopped is not None:
                return

    def _read_list(self, scan: Scan, part: int, begin: Place) -> Iterator[tuple[Row, Place]]:
        page, offset = begin.page, begin.offset
        while True:
            if self._limits.stops and self.calls >= self._limits.calls:
                self.stopped = Place(part, page, offset)
                return
            found = self._page(scan, scan.within[part], page)
            for index in range(offset, len(found.rows)):
                yield found.rows[index], Place(part, page, index)
            if not found.next_page:
                return
            page, offset = found.next_page, 0

    def _page(self, scan: Scan, within: Mapping[str, str], page: str) -> RowPage:
        key = _key_of(scan, within, page)
        if self._own is not None and key in self._own:
            return self._own[key]
        found = self._kept.find(key) if self._kept is not None and self.goes_on else None
        if found is None:
            self.count_call()
            found = self._source.list_rows(scan.entity, within=within, narrowed=scan.narrowed, page=page or None)
            self.rows += len(found.rows)
            if self.rows > self._limits.rows:
                self.refuse(f"over {self._limits.rows:,} rows were read")
            if self._kept is not None:
                self._kept.keep(key, found)
        if self._own is not None:
            self._own[key] = found
        return found

    def _get(self, entity: EntityType, key: Mapping[str, str]) -> Row | None:
        name = f"{entity.name} {sorted(key.items())}"
        if self._own is not None and name in self._own:
            return next(iter(self._own[name].rows), None)
        self.count_call()
        row = self._source.get(entity, key)
        if self._own is not None:
            self._own[name] = RowPage([] if row is None else [row])
        return row

    def count_call(self) -> None:
        """Count a call to the provider. Raises InvalidRequest past the limits."""
        if self.calls >= self._limits.calls:
            self.refuse(f"{self.calls} calls to the provider were made")
        if self.is_late:
            self.refuse(f"{self._limits.seconds:g} s have passed")
        self.calls += 1

    def refuse(self, why: str) -> NoReturn:
        """Raise InvalidRequest."""
        raise InvalidRequest(
            FieldProblem(
                self._field, f"reads too much: {why}, and the end was not reached; narrow it, by a date for example"
            )
        )


def _key_of(scan: Scan, within: Mapping[str, str], page: str) -> str:
    narrowed: Sequence[tuple[str, str, str]] = sorted((each.column, each.op, str(each.value)) for each in scan.narrowed)
    return repr((scan.entity.name, sorted(within.items()), narrowed, page))
