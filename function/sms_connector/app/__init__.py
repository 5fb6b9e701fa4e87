"""The composition root: settings in, a wired function out. The one place where everything meets.

container     what connector and worker share: the engine and what it stands on
startup_checks  settings whose secrets are there
adapters      from a setting to what it names
connector, worker, webhook, rotator   the four functions
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from sms_connector.errors import StartError

if TYPE_CHECKING:
    from sms_connector.api.handler import Handle

FUNCTIONS = ("connector", "worker", "webhook", "rotator")


def build(target: str, environ: Mapping[str, str]) -> Handle:
    """Build the HTTP function of that name. Raises StartError listing every problem of settings and secrets."""
    if target not in FUNCTIONS:
        known = ", ".join(FUNCTIONS)
        raise StartError(
            [f"FUNCTION_TARGET (environment): {target!r} is not a function of the connector; the functions are {known}"]
        )
    # A start pays for its own function only.
    handle: Handle = import_module(f"sms_connector.app.{target}").serve(environ)
    return handle
