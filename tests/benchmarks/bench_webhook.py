"""Webhook: how long a provider waits for the answer to a callback, at 200 callbacks a second.

The function runs under functions-framework, its queue is a SQLite file on the disk. The load is open: a callback is due
every 5 ms whether or not the ones before were answered, and its latency counts from when it was due, so that a slow moment
counts for all that came in it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

import aiohttp

from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.local.clock import SystemClock
from sms_connector.local.secrets import FileSecrets
from tests.fixtures.processes import ROOT, FunctionProcess, connector_environ

from .figures import Figure, Figures

BENCH = 6
TITLE = "webhook: answers to callbacks at 200 a second"
PUBLIC = "https://hooks.example.com"
RATE = 200
KEY = "0123456789abcdef0123456789abcdef"
HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
    "X-Twilio-Signature": "K5oZfzN95Z9UVu1EsfQmfVNQhnk=",
    "I-Twilio-Idempotency-Token": "b4b3a5d0-0000-4000-8000-000000000000",
    "User-Agent": "TwilioProxy/1.1",
}
BODY = (
    "ApiVersion=2010-04-01&AccountSid=AC00000000000000000000000000000001&From=%2B15551234567&To=%2B15558675310"
    "&SmsSid=SM{0:032x}&MessageSid=SM{0:032x}&SmsStatus=delivered&MessageStatus=delivered"
)


def run(*, quick: bool) -> list[Figure]:
    seconds = 5 if quick else 30
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        queue = folder / "queue.db"
        environ = connector_environ(
            folder, "http://127.0.0.1:9", SMS_WEBHOOK_URL=PUBLIC, SMS_QUEUE=f"sqlite:{queue}", SMS_LOG_LEVEL="error"
        )
        (folder / "secrets" / "webhook-key").write_text(KEY)
        function = FunctionProcess(ROOT / "function" / "main.py", environ, folder / "function.log", target="webhook")
        with function.running():
            path = _path(folder)
            asyncio.run(_load(function.url + path, seconds=1))  # the first requests open the file
            latencies = asyncio.run(_load(function.url + path, seconds=seconds))
        kept = sqlite3.connect(queue).execute("SELECT count(*) FROM tasks").fetchone()[0]
    return _judge(latencies, kept=kept, sent=RATE * (seconds + 1))


def _path(folder: Path) -> str:
    secrets = FileSecrets(folder / "secrets", clock=SystemClock())
    address = CallbackAddress(PUBLIC, provider="twilio", connection="local", secrets=secrets)
    return address.of_message("msg_" + "0" * 26).removeprefix(PUBLIC)


async def _load(url: str, *, seconds: int) -> list[float]:
    """Seconds from when each callback was due to its answer."""
    connector = aiohttp.TCPConnector(limit=50)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:
        begun = time.perf_counter() + 0.1
        calls = (_call(session, url, number, due=begun + number / RATE) for number in range(RATE * seconds))
        return await asyncio.gather(*calls)


async def _call(session: aiohttp.ClientSession, url: str, number: int, *, due: float) -> float:
    await asyncio.sleep(due - time.perf_counter())
    async with session.post(url, data=BODY.format(number)) as answer:
        if answer.status != 204:
            raise RuntimeError(f"the webhook answered {answer.status}")
    return time.perf_counter() - due


def _judge(latencies: Sequence[float], *, kept: int, sent: int) -> list[Figure]:
    figures = Figures(BENCH)
    cuts = quantiles(latencies, n=1000)
    return [
        figures.at_most("99 of 100 answers within", cuts[989] * 1000, 50, " ms", digits=1),
        figures.note("half of the answers within", cuts[499] * 1000, " ms", digits=1),
        figures.note("999 of 1 000 answers within", cuts[998] * 1000, " ms", digits=1),
        figures.at_least("callbacks in the queue ÷ callbacks answered", kept / sent, 1.0),
    ]
