"""Bodies on disk: their digest, their limit, and how many large ones one node reads at a time."""

from __future__ import annotations

import hashlib
import io
import threading
from contextlib import ExitStack

import pytest

from sms_connector.api.body import LARGE_BYTES, spool
from sms_connector.errors import InvalidRequest, Throttled

LARGE = b"x" * (LARGE_BYTES + 1)


def test_a_body_comes_back_with_its_digest() -> None:
    with spool(io.BytesIO(LARGE)) as spooled:
        assert (len(spooled.rewind().read()), spooled.digest) == (len(LARGE), hashlib.sha256(LARGE).hexdigest())
        assert spooled.rewind().read() == LARGE


def test_a_body_over_the_limit_is_refused_and_gives_its_turn_back() -> None:
    uploads = threading.Semaphore(1)
    with (
        pytest.raises(InvalidRequest, match="over the limit"),
        spool(io.BytesIO(LARGE), limit=10, large_uploads=uploads),
    ):
        pytest.fail("it was taken")
    assert uploads.acquire(blocking=False)


def test_large_uploads_wait_for_memory_and_small_ones_do_not() -> None:
    """Eighty requests of 32 MiB would end an instance of 512 MiB whose disk is memory."""
    uploads = threading.Semaphore(2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(spool(io.BytesIO(LARGE), large_uploads=uploads))
        with (
            pytest.raises(Throttled, match="source") as refused,
            spool(io.BytesIO(LARGE), large_uploads=uploads, patience=0.0),
        ):
            pytest.fail("it was taken")
        assert refused.value.retry_after == 10.0
        with spool(io.BytesIO(LARGE[:LARGE_BYTES]), large_uploads=uploads, patience=0.0) as small:
            assert len(small.rewind().read()) == LARGE_BYTES
    with spool(io.BytesIO(LARGE), large_uploads=uploads, patience=0.0) as again:
        assert len(again.rewind().read()) == len(LARGE)
