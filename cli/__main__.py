"""`python -m cli`, also there as `.venv/bin/sms`."""

from __future__ import annotations

from cli.main import app

app(prog_name="sms")
