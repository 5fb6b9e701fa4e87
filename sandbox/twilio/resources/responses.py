"""List, get, create, update and delete of every described address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from sandbox.twilio.resources import documents
from sandbox.twilio.resources.behaviour import Asked, Behaviour, World
from sandbox.twilio.resources.description import PLACE, Address, Operation, addresses, snake
from sandbox.twilio.resources.forms import read_filters, read_form
from sandbox.twilio.resources.pages import frame_2010, frame_meta, read_page_query, turn_to
from sandbox.twilio.resources.store import Row
from sandbox.twilio.responses import NO_CONTENT, Call, Responder
from sandbox.twilio.routes import Route
from sandbox.wire import Reply, json_reply, list_reply

# Answered by hand: messages and credentials in `sandbox.twilio.responses`, searches and sums in modules beside this.
BY_HAND = frozenset(
    {
        *("Accounts", "Balance", "Feedback", "Keys", "Media", "Messages", "SigningKeys"),
        *("AvailablePhoneNumberCountries", "AvailablePhoneNumbers", "UsageRecords"),
    }
)
NUMBER_TYPES: Mapping[str, str] = {"Local": "local", "Mobile": "mobile", "TollFree": "toll-free"}


class Resources:
    """All kinds, each with its behaviour."""

    def __init__(self, world: World, behaviours: Mapping[str, Behaviour]) -> None:
        self._world = world
        self._behaviours = behaviours

    def routes(self) -> list[Route]:
        return [Route(each.pattern, self._methods(each)) for each in addresses() if each.kind not in BY_HAND]

    def _methods(self, address: Address) -> dict[str, Responder]:
        makers: Mapping[str, Callable[[Address, Call], Reply]] = (
            {"GET": self._list, "POST": self._create}
            if address.is_collection
            else {"GET": self._fetch, "POST": self._update, "DELETE": self._delete}
        )
        return {method: partial(makers[method], address) for method in address.operations}

    def _list(self, address: Address, call: Call) -> Reply:
        operation, behaviour, asked = self._asked(address, call)
        query = read_page_query(call.request.path, call.request.query_pairs(), filters=list(operation.filters))
        takes = read_filters(
            {name: each for name, each in operation.filters.items() if name != "IncludeSoftDeleted"}, asked.query
        )

        def select(row: Row) -> Mapping[str, Any] | None:
            values = self._seen(behaviour, asked, row)
            return values if values is not None and takes(values) else None

        shelf = self._world.store.shelf(call.account.sid, address.kind)
        page = turn_to(shelf, query, select=select, oldest_first=behaviour.oldest_first)
        origin = _origin(address, call)
        items = (self._shown(operation, asked, row, values=values) for row, values in page.items)
        key = operation.list_key or ""
        if address.is_versioned_by_host:
            return list_reply({"meta": frame_meta(query, page, key=key, origin=origin)}, key, items)
        return list_reply(frame_2010(query, page), key, items)

    def _fetch(self, address: Address, call: Call) -> Reply:
        operation, behaviour, asked = self._asked(address, call)
        row = self._found(behaviour, asked)
        return self._answer(operation, asked, row, values=self._seen(behaviour, asked, row) or {})

    def _create(self, address: Address, call: Call) -> Reply:
        operation, behaviour, asked = self._asked(address, call)
        row = behaviour.create(asked, read_form(operation, call.form()))
        return self._answer(operation, asked, row, values=behaviour.answer_created(row))

    def _update(self, address: Address, call: Call) -> Reply:
        operation, behaviour, asked = self._asked(address, call)
        row = self._found(behaviour, asked)
        behaviour.update(asked, row, read_form(operation, call.form(), update=True))
        return self._answer(operation, asked, row, values=behaviour.view(row))

    def _delete(self, address: Address, call: Call) -> Reply:
        _, behaviour, asked = self._asked(address, call)
        behaviour.delete(asked, self._found(behaviour, asked))
        return NO_CONTENT

    def _asked(self, address: Address, call: Call) -> tuple[Operation, Behaviour, Asked]:
        operation, behaviour = address.operations[call.request.method], self._behaviours[address.role]
        behaviour.prepare(call.account)
        asked = Asked(call.account, address, call.places, call.request.path, dict(call.request.query_pairs()), scope={})
        scope = {snake(place): self._parent(asked, kind, place).key for kind, place in address.parents}
        if address.view in NUMBER_TYPES:
            scope["type"] = NUMBER_TYPES[address.view]
        return operation, behaviour, replace(asked, scope=scope)

    def _parent(self, asked: Asked, kind: str, place: str) -> Row:
        behaviour = self._behaviours[kind]
        behaviour.prepare(asked.account)
        return behaviour.parent(asked, asked.places[place])

    def _found(self, behaviour: Behaviour, asked: Asked) -> Row:
        key = asked.places[PLACE.findall(asked.address.template)[-1]]
        row = behaviour.find(asked, key)
        if row is None and asked.query.get("IncludeSoftDeleted") == "true":
            row = self._world.store.shelf(asked.account.sid, asked.address.kind).by_key.get(key)
        if row is None or self._seen(behaviour, asked, row) is None:
            raise asked.not_found()
        return row

    def _seen(self, behaviour: Behaviour, asked: Asked, row: Row) -> Mapping[str, Any] | None:
        """Return what the row is shown with, None where this address doesn't show it."""
        with_deleted = row.deleted_at is not None and asked.query.get("IncludeSoftDeleted") == "true"
        if not with_deleted and not row.is_there(self._world.now()):
            return None
        values = behaviour.view(row)
        if any(values.get(name) != value for name, value in asked.scope.items()):
            return None
        return {**values, "status": "deleted"} if with_deleted else values

    def _answer(self, operation: Operation, asked: Asked, row: Row, *, values: Mapping[str, Any]) -> Reply:
        return json_reply(operation.status, self._shown(operation, asked, row, values=values))

    def _shown(self, operation: Operation, asked: Asked, row: Row, *, values: Mapping[str, Any]) -> dict[str, Any]:
        origin = f"https://{HOSTS[asked.address.is_versioned_by_host]}"
        complete = documents.with_addresses(row, values, asked.address, origin=origin)
        return documents.render(operation.schema, complete)


HOSTS = {False: "api.twilio.com", True: "messaging.twilio.com"}


def _origin(address: Address, call: Call) -> str:
    """Return where the links of a list lead: to where the request came, so that a client that follows one stays here."""
    return f"http://{call.request.headers.get('Host', HOSTS[address.is_versioned_by_host])}"
