"""The entry points of the deployed functions; functions-framework serves the one that `--target` or FUNCTION_TARGET
names."""

import gc
import os
import sys

import flask

from sms_connector import app
from sms_connector.errors import StartError

# What is made at the start lives as long as the process: looking for garbage in it would take a fifth of a cold start
# (docs/performance.md, 4).
gc.disable()
try:
    _handle = app.build(os.environ.get("FUNCTION_TARGET", "connector"), os.environ)
except StartError as error:
    sys.exit(str(error))
finally:
    gc.freeze()
    gc.enable()


def connector(request: flask.Request) -> flask.Response:
    """Serve the private API, and the events that the queue brings."""
    return _handle(request)


def worker(request: flask.Request) -> flask.Response:
    """Send chunks of campaigns; only the queue calls it."""
    return _handle(request)


def webhook(request: flask.Request) -> flask.Response:
    """Take providers' callbacks in; it is public."""
    return _handle(request)


def rotator(request: flask.Request) -> flask.Response:
    """Rotate credentials, on demand and by Secret Manager's notices."""
    return _handle(request)
