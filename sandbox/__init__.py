"""Simulators of SMS providers' APIs on loopback, for tests, benchmarks and trying things out.

Start one with `python -m sandbox`, or inside a test with `with Sandbox() as sandbox: ...`. It shares no code with the
connector and imports nothing of it: the two meet over HTTP only, so that neither can inherit the other's mistakes.
"""

from __future__ import annotations

from sandbox.client import AdminClient
from sandbox.options import Options
from sandbox.running import Sandbox

__all__ = ["AdminClient", "Options", "Sandbox"]
