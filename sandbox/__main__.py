"""`python -m sandbox`: the simulators on a loopback port, until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
from collections.abc import Sequence
from dataclasses import replace

from sandbox.options import Options, Settings
from sandbox.running import start


def parse(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8800, help="port on 127.0.0.1; 0 takes a free one (default 8800)")
    parser.add_argument("--delivery-seconds", type=float, default=2.0, help="from accept to delivered (default 2)")
    parser.add_argument("--instant", action="store_true", help="delivered at once; the same as --delivery-seconds 0")
    parser.add_argument("--latency-seconds", type=float, default=0.0, help="every answer takes this long (default 0)")
    parser.add_argument("--concurrency-limit", type=int, help="more requests at once are answered 429 (default: none)")
    parser.add_argument("--rate-limit", type=int, help="more requests a second are answered 429 (default: none)")
    parser.add_argument("--seed", type=int, default=1, help="makes ids and faults repeatable (default 1)")
    parser.add_argument("--external-callbacks", action="store_true", help="call back hosts other than loopback too")
    given = parser.parse_args(arguments)
    settings = Settings(
        delivery_seconds=given.delivery_seconds,
        latency_seconds=given.latency_seconds,
        concurrency_limit=given.concurrency_limit,
        rate_limit=given.rate_limit,
    )
    return Options(
        port=given.port,
        seed=given.seed,
        settings=replace(settings, delivery_seconds=0.0) if given.instant else settings,
        external_callbacks=given.external_callbacks,
    )


async def serve(options: Options) -> None:
    running = await start(options)
    # A full collection of all that was imported takes over 10 ms, and a request that arrives meanwhile is journaled late.
    gc.freeze()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(f"sandbox listening on {running.url}", flush=True)
    await stop.wait()
    await running.close()


if __name__ == "__main__":
    asyncio.run(serve(parse()))
