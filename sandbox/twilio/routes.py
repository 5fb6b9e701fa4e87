"""Twilio's addresses, one line each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.twilio.responses import AccountResponses, MessageResponses, Responder

HEX = "[0-9a-fA-F]{32}"
PLACES = {
    "{account}": f"(?P<account>AC{HEX})",
    "{message}": f"(?P<sid>(?:SM|MM){HEX})",
    "{media}": f"(?P<child>ME{HEX})",
    "{key}": f"(?P<sid>SK{HEX})",
}


@dataclass(frozen=True, slots=True)
class Route:
    """An address and what its methods do. `guarded`: closed to standard API keys. `open_when_inactive`: answers even
    for a suspended or closed account."""

    pattern: re.Pattern[str]
    methods: Mapping[str, Responder]
    guarded: bool = False
    open_when_inactive: bool = False


def routes(messages: MessageResponses, accounts: AccountResponses) -> Sequence[Route]:
    """The busiest first: they are tried in order."""
    base = "/2010-04-01/Accounts/{account}"
    one = f"{base}/Messages/{{message}}"
    return (
        _route(f"{base}/Messages.json", {"POST": messages.create, "GET": messages.list}),
        _route(f"{one}.json", {"GET": messages.fetch, "POST": messages.update, "DELETE": messages.delete}),
        _route(f"{one}/Feedback.json", {"POST": messages.give_feedback}),
        _route(f"{one}/Media.json", {"GET": messages.list_media}),
        _route(f"{one}/Media/{{media}}.json", {"GET": messages.fetch_media, "DELETE": messages.delete_media}),
        _route(f"{base}/Balance.json", {"GET": accounts.fetch_balance}),
        _route(f"{base}.json", {"GET": accounts.fetch, "POST": accounts.update}, guarded=True, open_when_inactive=True),
        _route("/2010-04-01/Accounts.json", {"GET": accounts.list, "POST": accounts.create}, guarded=True),
        *(
            route
            for name in ("Keys", "SigningKeys")
            for route in (
                _route(f"{base}/{name}.json", {"GET": accounts.list_keys, "POST": accounts.create_key}, guarded=True),
                _route(
                    f"{base}/{name}/{{key}}.json",
                    {"GET": accounts.fetch_key, "POST": accounts.update_key, "DELETE": accounts.delete_key},
                    guarded=True,
                ),
            )
        ),
        _route(
            "/v1/AuthTokens/Secondary",
            {"POST": accounts.create_secondary_token, "DELETE": accounts.delete_secondary_token},
            guarded=True,
        ),
        _route("/v1/AuthTokens/Promote", {"POST": accounts.promote_token}, guarded=True),
    )


def _route(
    template: str, methods: Mapping[str, Responder], *, guarded: bool = False, open_when_inactive: bool = False
) -> Route:
    pattern = re.escape(template)
    for name, place in PLACES.items():
        pattern = pattern.replace(re.escape(name), place)
    return Route(re.compile(pattern), methods, guarded, open_when_inactive)
