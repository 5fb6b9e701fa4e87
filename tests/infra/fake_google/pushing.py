"""Pub/Sub pushes what comes into a subscription that has an endpoint, until it is taken.

https://cloud.google.com/pubsub/docs/push: any of TAKEN acknowledges; anything else comes again after a pause of the retry policy
(here a short one). A token is sent where the service's agent may make it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import requests

from tests.infra.fake_google.values import stamp

if TYPE_CHECKING:
    from tests.infra.fake_google.catalog import Json
    from tests.infra.fake_google.store import Store

TAKEN = frozenset({102, 200, 201, 202, 204})
PAUSE_SECONDS = 2.0


def push(cloud: Store, name: str, message: Json) -> None:
    """Deliver a message of the subscription until it is taken, was sought past, or has no subscription any more."""
    sent = {"attributes": message["attributes"], "messageId": f"{id(message)}", "publishTime": stamp()}
    while (request := _request(cloud, name, message)) is not None:
        url, headers, seconds = request
        body = {"message": sent, "subscription": name}
        trusted = cloud.runner.authority.ca_file if cloud.runner else True
        try:
            status = requests.post(url, json=body, headers=headers, timeout=seconds, verify=trusted).status_code
        except requests.RequestException:
            status = 0
        with cloud.lock:
            message["statuses"].append(status)
            if status in TAKEN:
                cloud.passing.messages[name] = [m for m in cloud.passing.messages[name] if m is not message]
                return
        time.sleep(PAUSE_SECONDS)


def _request(cloud: Store, name: str, message: Json) -> tuple[str, dict[str, str], float] | None:
    with cloud.lock:
        subscription = cloud.resources.get(f"pubsub/{name}", {})
        config = subscription.get("pushConfig", {})
        if "pushEndpoint" not in config or not any(m is message for m in cloud.passing.messages.get(name, [])):
            return None
        oidc = config.get("oidcToken", {})
        token = cloud.mint("pubsub", oidc["serviceAccountEmail"], oidc["audience"]) if oidc else None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return config["pushEndpoint"], headers, float(subscription["ackDeadlineSeconds"])
