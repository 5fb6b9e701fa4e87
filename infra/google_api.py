"""Calls to Google's REST APIs for which the provider plugin has neither a resource nor a function, with the plugin's
identity."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pulumi

# As the plugin names its endpoints: `gcp:<name>CustomEndpoint` replaces one.
ENDPOINTS = {"firestore": "https://firestore.googleapis.com/v1/", "cloudRunV2": "https://run.googleapis.com/v2/"}
TIMEOUT_SECONDS = 30
CLIENT_CONFIG = "gcp:organizations/getClientConfig:getClientConfig"


def call(service: str, method: str, path: str, *, token: str, body: object = None) -> tuple[int, Any]:
    """Return status and answer, also of an error; OSError means that there was no answer."""
    base = pulumi.Config("gcp").get(f"{service}CustomEndpoint") or ENDPOINTS[service]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, headers, method=method)  # noqa: S310 - Google's, or as configured
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return answer.status, _decoded(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, _decoded(error.read())


def message(answer: object) -> str:
    """Return the reason in an error's answer."""
    error = answer.get("error") if isinstance(answer, dict) else None
    text = error.get("message") if isinstance(error, dict) else None
    return str(text or answer)[:300]


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
