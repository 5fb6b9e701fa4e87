"""The functions as they are deployed, but for their patience; FUNCTION_TARGET says which."""

import os

import flask

from sms_connector.app.connector import build_connector
from sms_connector.app.container import start
from sms_connector.app.rotator import build_rotator
from sms_connector.app.webhook import serve as serve_webhook
from sms_connector.app.worker import build_worker
from sms_connector.rotation import RotationTiming
from tests.soak.patience import POLICY, TIMING

_BUILD = {
    "connector": lambda: build_connector(start(os.environ, policy=POLICY, timing=TIMING)),
    "worker": lambda: build_worker(start(os.environ, policy=POLICY, timing=TIMING)),
    "webhook": lambda: serve_webhook(os.environ),
    "rotator": lambda: build_rotator(start(os.environ, policy=POLICY, timing=TIMING), RotationTiming(overlap=10.0)),
}
_handle = _BUILD[os.environ["FUNCTION_TARGET"]]()


def connector(request: flask.Request) -> flask.Response:
    """The private API, and events."""
    return _handle(request)


def worker(request: flask.Request) -> flask.Response:
    """Chunks of campaigns."""
    return _handle(request)


def webhook(request: flask.Request) -> flask.Response:
    """The provider's callbacks."""
    return _handle(request)


def rotator(request: flask.Request) -> flask.Response:
    """Rotations."""
    return _handle(request)
