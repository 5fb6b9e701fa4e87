"""Starts the fake by hand: `python -m tests.infra.fake_google --port 8790 --strict`."""

from __future__ import annotations

import argparse
import threading

from tests.infra.fake_google.http import FakeGoogle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--strict", action="store_true", help="refuse what a fresh project refuses")
    args = parser.parse_args()
    fake = FakeGoogle(port=args.port, strict=args.strict).start()
    print(f"fake Google Cloud on {fake.address}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
