"""Lists that are worked out for each request: numbers on sale, the countries that have some, and usage records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sandbox.twilio.documents import account_path
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.resources import usage
from sandbox.twilio.resources.behaviour import World
from sandbox.twilio.resources.description import Address, Operation, addresses, snake
from sandbox.twilio.resources.documents import render
from sandbox.twilio.resources.forms import read_filters
from sandbox.twilio.resources.pages import frame_2010, number_pages, read_page_query
from sandbox.twilio.resources.phone_numbers import COUNTRIES, on_sale
from sandbox.twilio.responses import Call, Responder
from sandbox.twilio.routes import Route
from sandbox.wire import Reply, json_reply, list_reply


class Searches:
    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        makers: Mapping[str, Any] = {
            "AvailablePhoneNumberCountries": self._countries,
            "AvailablePhoneNumbers": self._numbers,
            "UsageRecords": self._usage,
        }
        return [
            Route(each.pattern, {"GET": self._responder(makers[each.kind], each)})
            for each in addresses()
            if each.kind in makers
        ]

    def _responder(self, maker: Any, address: Address) -> Responder:
        return partial(maker, address, address.operations["GET"])

    def _countries(self, address: Address, operation: Operation, call: Call) -> Reply:
        base = f"{account_path(call.account.sid)}/AvailablePhoneNumbers"
        if not address.is_collection:
            code = _country(call)
            return json_reply(200, render(operation.schema, _country_values(base, code)))
        shown = [render(operation.schema, _country_values(base, code)) for code in COUNTRIES]
        return list_reply({"uri": f"{base}.json"}, "countries", shown)

    def _numbers(self, address: Address, operation: Operation, call: Call) -> Reply:
        query = dict(call.request.query_pairs())
        # Refuses what can't be read; most of it changes nothing here.
        read_filters(operation.filters, query)
        found = on_sale(call.account, _country(call), snake(address.view), wanted=query)
        return self._listed(operation, call, found)

    def _usage(self, address: Address, operation: Operation, call: Call) -> Reply:
        period = address.view if address.view in usage.PERIODS else ""
        found = usage.records(self._world, call.account, period, query=dict(call.request.query_pairs()))
        return self._listed(operation, call, found)

    def _listed(self, operation: Operation, call: Call, found: Sequence[Mapping[str, Any]]) -> Reply:
        query = read_page_query(call.request.path, call.request.query_pairs(), filters=list(operation.filters))
        page = number_pages(found, query)
        items = (render(operation.schema, each) for each in page.items)
        return list_reply(frame_2010(query, page), operation.list_key or "", items)


def _country(call: Call) -> str:
    code = call.places["CountryCode"]
    if code not in COUNTRIES:
        raise TwilioError(20404, path=call.request.path)
    return code


def _country_values(base: str, code: str) -> dict[str, Any]:
    country = COUNTRIES[code]
    names = {kind: "".join(word.capitalize() for word in kind.split("_")) for kind in country.prefixes}
    return {
        "country_code": code,
        "country": country.name,
        "uri": f"{base}/{code}.json",
        "beta": country.beta,
        "subresource_uris": {kind: f"{base}/{code}/{name}.json" for kind, name in names.items()},
    }
