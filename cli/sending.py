"""Many records through `messages:send`: in batches, several under way, each with a key of its own.

A batch's key follows from the whole's and the batch's place. So the same file sent again with the same key, within the 24
hours the connector keeps keys, repeats nothing: what was carried out answers as it did, the rest is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from cli.client import Client
from cli.errors import CliError, Interrupted, Refused
from cli.records import Record

SEND = "/v1/messages:send"
# Four seconds of one node's rate: small enough to see it move. Changing it changes the keys of every repeated file.
BATCH_SIZE = 100

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """One request. `first` is the place of its first record in the file, from 0."""

    first: int
    size: int
    document: Mapping[str, Any]
    key: str | None


@dataclass(slots=True)
class Sent:
    """What became of all batches: results in the order of the file, and what kept any of them from being sent."""

    results: list[Result] = field(default_factory=list)
    failures: list[CliError] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, int]:
        return dict(Counter(result["status"] for result in self.results))


def make_batches(
    options: Mapping[str, Any], records: Sequence[Record], *, key: str | None, size: int = BATCH_SIZE
) -> list[Batch]:
    """Requests of at most `size` records; `options` is what holds for all of them."""
    return [
        Batch(
            first=first,
            size=len(records[first : first + size]),
            document={**options, "records": records[first : first + size]},
            key=f"{key}:{first}" if key else None,
        )
        for first in range(0, len(records), size)
    ]


def send_batches(
    client: Client, batches: Sequence[Batch], *, parallel: int, progress: Callable[[int], None] = lambda _: None
) -> Sent:
    """Send them in order, `parallel` at a time; `progress` hears how many records are answered.

    The first batch that fails, or an interruption, keeps those that have not begun from being sent; the ones under way are
    waited for: they are being carried out, and their outcomes are worth having.
    """
    sent = Sent()
    waiting = iter(batches)
    running: dict[Future[Any], Batch] = {}
    with ThreadPoolExecutor(parallel, thread_name_prefix="batch") as pool:
        while True:
            for batch in _take(waiting, 0 if sent.failures else parallel - len(running)):
                running[pool.submit(client.post, SEND, batch.document, key=batch.key)] = batch
            if not running:
                break
            for future in _wait(running, sent):
                batch = running.pop(future)
                _collect(sent, batch, future)
                progress(batch.size)
    sent.results.sort(key=lambda result: result["index"])
    return sent


def _wait(running: Mapping[Future[Any], Batch], sent: Sent) -> Set[Future[Any]]:
    try:
        return wait(running, return_when=FIRST_COMPLETED).done
    except KeyboardInterrupt:
        if any(isinstance(failure, Interrupted) for failure in sent.failures):
            raise
        sent.failures.append(Interrupted("interrupted: only what is under way is finished"))
        return frozenset()


def _take(waiting: Iterator[Batch], count: int) -> Iterator[Batch]:
    for _, batch in zip(range(count), waiting, strict=False):
        yield batch


def _collect(sent: Sent, batch: Batch, future: Future[Any]) -> None:
    try:
        answer = future.result()
    except Refused as error:
        sent.failures.append(error.placed(batch.first))
    except CliError as error:
        sent.failures.append(error)
    else:
        sent.results += [{**result, "index": result["index"] + batch.first} for result in answer["results"]]
