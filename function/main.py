"""The entry points of the deployed functions; functions-framework serves the one it is told to (`--target`, FUNCTION_TARGET)."""

import gc
import os
import sys

import flask

from sms_connector import app
from sms_connector.errors import StartError

gc.disable()  # what is made at the start lives as long as the process: looking for garbage in it takes some 5 ms
try:
    _handle = app.build(os.environ.get("FUNCTION_TARGET", "connector"), os.environ)
except StartError as error:
    sys.exit(str(error))
finally:
    gc.freeze()
    gc.enable()


def connector(request: flask.Request) -> flask.Response:
    """The private API, and the events that webhook and queue bring to it."""
    return _handle(request)


def worker(request: flask.Request) -> flask.Response:
    """Chunks of campaigns, called by the queue alone."""
    return _handle(request)


def webhook(request: flask.Request) -> flask.Response:
    """The public door for providers' callbacks."""
    return _handle(request)
