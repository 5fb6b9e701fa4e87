"""The admin API below `/_sandbox/`: queries and settings of the simulator for tests."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from sandbox.callbacks import Callbacks
from sandbox.clock import Clock
from sandbox.faults import FaultError, FaultPlan
from sandbox.journal import Journal, Query
from sandbox.limits import Gate
from sandbox.options import Context, Settings, SettingsError, settings_document
from sandbox.service import AdminAction, AdminError, Service

PREFIX = "/_sandbox/"
NDJSON = "application/x-ndjson"


class Admin:
    """Answers admin calls. Reads take their arguments from the query, writes from a JSON body.

    Lists are a JSON array, or one document per line with `format=ndjson`.
    """

    def __init__(
        self,
        services: Sequence[Service],
        *,
        context: Context,
        clock: Clock,
        journal: Journal,
        faults: FaultPlan,
        callbacks: Callbacks,
        gate: Gate,
    ) -> None:
        self._services = services
        self._context = context
        self._initial: Settings = context.settings
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self._callbacks = callbacks
        self._gate = gate

    async def handle(self, http: web.BaseRequest) -> web.Response:
        actions = self._actions()
        path = http.rel_url.path.removeprefix(PREFIX.rstrip("/")).strip("/")
        action = actions.get((http.method, path))
        if action is None:
            known = sorted(f"{method} {PREFIX}{name}" for method, name in actions)
            return _json(404, {"error": f"no such admin call: {http.method} {http.path}", "calls": known})
        try:
            result = action(await _arguments(http))
            if inspect.isawaitable(result):
                result = await result
        except (AdminError, FaultError, SettingsError) as error:
            return _json(400, {"error": str(error)})
        return _listed(http, result) if isinstance(result, list) else _json(200, result)

    def _actions(self) -> dict[tuple[str, str], AdminAction]:
        own: dict[tuple[str, str], AdminAction] = {
            ("GET", "journal"): lambda query: [entry.document() for entry in self._journal.select(_query(query))],
            ("GET", "journal/summary"): lambda query: self._journal.summary(_query(query)),
            ("GET", "journal/starts"): lambda query: self._journal.starts(_query(query)),
            ("GET", "messages"): self._messages,
            ("GET", "callbacks"): self._attempts,
            ("GET", "faults"): lambda _: [rule.document() for rule in self._faults.rules],
            ("POST", "faults"): lambda body: [rule.document() for rule in self._faults.add(body)],
            ("DELETE", "faults"): lambda _: self._faults.clear(),
            ("GET", "settings"): lambda _: settings_document(self._context.settings),
            ("POST", "settings"): self._change_settings,
            ("GET", "clock"): lambda _: {"now": self._clock.now(), "skipped": self._clock.skipped},
            ("POST", "clock"): self._advance,
            ("POST", "reset"): lambda _: self._reset(),
        }
        for service in self._services:
            own.update(service.admin_actions())
        return own

    def _messages(self, query: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        since = _whole(query, "since") or 0
        return [message for service in self._services for message in service.messages(since)]

    def _attempts(self, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [attempt.document() for attempt in self._callbacks.attempts(_whole(query, "since") or 0)]

    def _change_settings(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._context.settings = self._context.settings.changed(body)
        return settings_document(self._context.settings)

    def _advance(self, body: Mapping[str, Any]) -> dict[str, Any]:
        seconds = body.get("advanceSeconds")
        if not isinstance(seconds, int | float) or seconds < 0:
            raise AdminError("advanceSeconds: a number of at least 0 is needed; time only moves forward")
        self._clock.advance(float(seconds))
        self._callbacks.clock_moved()
        return {"now": self._clock.now(), "skipped": self._clock.skipped}

    def _reset(self) -> dict[str, Any]:
        self._context.settings = self._initial
        clears: Iterable[Callable[[], None]] = (
            self._journal.clear,
            self._faults.clear,
            self._callbacks.clear,
            self._gate.clear,
        )
        for clear in clears:
            clear()
        self._clock.skipped = 0.0
        for service in self._services:
            service.reset()
        return {}


async def _arguments(http: web.BaseRequest) -> Mapping[str, Any]:
    if http.method != "POST":
        return dict(http.rel_url.query)
    raw = await http.read()
    try:
        document = json.loads(raw) if raw else {}
    except ValueError as error:
        raise AdminError(f"body: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise AdminError("body: a JSON object is needed")
    return document


def _query(arguments: Mapping[str, Any]) -> Query:
    query = Query(
        since=_whole(arguments, "since") or 0,
        method=arguments.get("method"),
        fault=arguments.get("fault"),
        status=_whole(arguments, "status"),
        limit=_whole(arguments, "limit"),
    )
    try:
        return replace(query, path=re.compile(arguments["path"])) if "path" in arguments else query
    except re.error as error:
        raise AdminError(f"path: not a pattern: {error}") from error


def _whole(arguments: Mapping[str, Any], name: str) -> int | None:
    try:
        return int(arguments[name]) if name in arguments else None
    except ValueError:
        raise AdminError(f"{name}: a whole number is needed, not {arguments[name]!r}") from None


def _listed(http: web.BaseRequest, documents: list[Any]) -> web.Response:
    if http.rel_url.query.get("format") != "ndjson":
        return _json(200, documents)
    lines = "".join(json.dumps(document) + "\n" for document in documents)
    return web.Response(text=lines, content_type=NDJSON)


def _json(status: int, document: Any) -> web.Response:
    return web.Response(
        status=status,
        text=json.dumps(document or {} if document is None else document),
        content_type="application/json",
    )
