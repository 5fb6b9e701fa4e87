"""Name operations in the OpenAPI document, as a generated client names its functions and modules.

They follow from method and path: `POST /v1/messages:send` is `sendMessages` of `messages`, `GET /v1/campaigns/{id}/results` is
`listCampaignResults` of `campaigns`.
"""

from __future__ import annotations

import re

from sms_connector.api.routing import Route

_VERBS = {"GET": "get", "POST": "create", "PUT": "save", "DELETE": "delete"}
_PARAMETER = re.compile(r"<\w+:\w+>")
_SERVICE = {"/health": "getHealth", "/openapi.json": "getOpenApiDocument"}
# Resources of another's module.
_BELONGS_TO = {"limits": "connection", "senders": "connection"}

TAGS = {
    "messages": "Send, preview, look up, list, cancel and redact messages.",
    "campaigns": "Send up to 1 000 000 records, carried out by workers.",
    "templates": "Messages with their mapping, sender and options, saved under a name.",
    "connection": "Describe, test, suspend and resume the connection; show its limits.",
    "optOuts": "Recipients who receive no messages.",
    "inboundMessages": "Messages that recipients sent.",
    "callbacks": "Results posted to your callback addresses, and failed attempts.",
    "service": "The process and this document.",
}


def operation_id(route: Route) -> str:
    """Return a name such as `getCampaign`, unique among all routes."""
    if route.path in _SERVICE:
        return _SERVICE[route.path]
    path, _, verb = _PARAMETER.sub("{}", route.path).removeprefix("/v1/").partition(":")
    parts = path.split("/")
    nouns = [part for part in parts if part != "{}"]
    is_item = parts[-1] == "{}"
    is_list = not is_item and _has_pages(route)
    verb = verb or ("list" if is_list else _VERBS[route.method])
    keeps_plural = is_list or (not is_item and verb != "create")
    words = [_singular(noun) for noun in nouns[:-1]] + [nouns[-1] if keeps_plural else _singular(nouns[-1])]
    return verb + "".join(word[0].upper() + word[1:] for word in words)


def tag_of(route: Route) -> str:
    if route.path in _SERVICE:
        return "service"
    resource = re.split("[/:]", route.path.removeprefix("/v1/"), maxsplit=1)[0]
    return _BELONGS_TO.get(resource, resource)


def _has_pages(route: Route) -> bool:
    return "next_page_token" in getattr(route.answer, "__struct_fields__", ())


def _singular(noun: str) -> str:
    return noun.removesuffix("s")
