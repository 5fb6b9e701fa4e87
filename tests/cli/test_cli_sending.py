"""Files in batches: keys that stay, results in order, one failure that stops what has not begun."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from cli.client import Client
from cli.errors import Misused, Refused
from cli.sending import Batch, make_batches, send_batches
from tests.cli.scripted_http import problem

RECORDS = [{"to": f"+1555867{number:04}"} for number in range(7)]


class Answering(Client):
    """Answers each batch with its records; refuses the batch whose key is in `refused`."""

    def __init__(self, *refused: str) -> None:
        super().__init__("http://127.0.0.1:9", requests.Session())
        self.keys: list[str | None] = []
        self._refused = refused

    def post(self, path: str, document: Any = None, *, key: str | None = None) -> Any:
        self.keys.append(key)
        if key in self._refused:
            raise Refused(422, problem(422, "records[1].to: no").body)
        results = [
            {"index": index, "to": record["to"], "status": "sent"} for index, record in enumerate(document["records"])
        ]
        return {"results": results}


@pytest.mark.parametrize(
    ("size", "firsts"),
    [(7, [0]), (100, [0]), (3, [0, 3, 6]), (1, [0, 1, 2, 3, 4, 5, 6])],
)
def test_batches_have_keys_by_their_place(size: int, firsts: list[int]) -> None:
    batches = make_batches({"message": "Hi"}, RECORDS, key="k", size=size)
    assert [batch.key for batch in batches] == [f"k:{first}" for first in firsts]
    assert [record for batch in batches for record in batch.document["records"]] == RECORDS


@pytest.mark.parametrize("parallel", [1, 2, 8])
def test_results_are_in_the_order_of_the_file(parallel: int) -> None:
    seen: list[int] = []
    sent = send_batches(
        Answering(), make_batches({}, RECORDS, key="k", size=2), parallel=parallel, progress=seen.append
    )
    assert [result["to"] for result in sent.results] == [record["to"] for record in RECORDS]
    assert [result["index"] for result in sent.results] == list(range(7))
    assert sent.summary == {"sent": 7}
    assert sum(seen) == 7


def test_a_failure_stops_what_has_not_begun() -> None:
    client = Answering("k:2")
    sent = send_batches(client, make_batches({}, RECORDS, key="k", size=2), parallel=1)
    assert client.keys == ["k:0", "k:2"]
    assert len(sent.results) == 2
    assert [list(failure.lines()) for failure in sent.failures] == [["row 4, to: no"]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("records[0].to: no", "row 101, to: no"),
        ("records[3]: the rendered message is empty", "row 104: the rendered message is empty"),
        ("mapping.to: no such field", "mapping.to: no such field"),
    ],
)
def test_paths_are_told_as_rows_of_the_file(text: str, shown: str) -> None:
    assert list(Refused(400, problem(400, text).body, first_record=100).lines()) == [shown]


def test_an_error_of_ours_is_not_swallowed() -> None:
    class Broken(Answering):
        def post(self, path: str, document: Any = None, *, key: str | None = None) -> Any:
            raise Misused("before anything was asked")

    sent = send_batches(Broken(), [Batch(0, 1, {"records": RECORDS[:1]}, None)], parallel=2)
    assert [str(failure) for failure in sent.failures] == ["before anything was asked"]
