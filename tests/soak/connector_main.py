"""The connector as it is deployed, but for its patience."""

import os

import flask

from sms_connector.app.connector import build_connector
from sms_connector.app.container import start
from tests.soak.patience import POLICY, TIMING

_handle = build_connector(start(os.environ, policy=POLICY, timing=TIMING))


def connector(request: flask.Request) -> flask.Response:
    """The private API."""
    return _handle(request)
