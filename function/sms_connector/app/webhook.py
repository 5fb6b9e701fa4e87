"""The `webhook` function: no ledger, no secret but its key."""

from __future__ import annotations

from collections.abc import Mapping

from sms_connector.api.handler import Handle
from sms_connector.api.resources.webhook import WebhookFunction
from sms_connector.app.adapters import build_callbacks, make_log, open_queue
from sms_connector.app.startup_checks import build_provider
from sms_connector.callbacks.callback_address import KEY_SECRETS
from sms_connector.errors import StartError
from sms_connector.local.clock import SystemClock
from sms_connector.local.secrets import FileSecrets
from sms_connector.settings import load
from sms_connector.transport.http import NoTransport


def serve(environ: Mapping[str, str]) -> Handle:
    return start_webhook(environ).build()


def start_webhook(environ: Mapping[str, str]) -> WebhookFunction:
    """Make the function of the settings. Raises StartError listing every problem."""
    clock = SystemClock()
    settings = load(environ, needs_ledger=False)
    secrets = FileSecrets(settings.secrets_dir, clock=clock)
    key = KEY_SECRETS[0]
    wanted = {
        "SMS_WEBHOOK_URL is missing: looked in the environment; the webhook needs its address": settings.webhook_url,
        "SMS_QUEUE is missing: looked in the environment; the webhook has nowhere to put callbacks": settings.queue,
        f"secret {key} is missing: looked at {secrets.where(key)}; write its value there": secrets.get(key),
    }
    problems = [problem for problem, there in wanted.items() if not there]
    address, queue = build_callbacks(settings, secrets), open_queue(settings, clock)
    if problems or address is None or queue is None:
        raise StartError(problems)
    provider = build_provider(settings, secrets, NoTransport(), clock)
    return WebhookFunction(
        address, provider, queue, make_log(settings), clock.time, settings.help_reply, settings.stop_words
    )
