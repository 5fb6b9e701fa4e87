"""Twilio, put together: addresses, credentials, state, and the admin calls of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.service import AdminAction, Service
from sandbox.twilio.accounts import Account, AccountBook, Caller, Rights, default_account
from sandbox.twilio.admin import TwilioAdmin
from sandbox.twilio.documents import witness_document
from sandbox.twilio.exceptions import REFUSALS, TwilioError, error_body
from sandbox.twilio.inbound import Inbox
from sandbox.twilio.models import MessageBook
from sandbox.twilio.outbox import Outbox
from sandbox.twilio.resources.admin import ResourceAdmin
from sandbox.twilio.resources.behaviour import World
from sandbox.twilio.resources.feedback import CallFeedback
from sandbox.twilio.resources.kinds import behaviours
from sandbox.twilio.resources.responses import Resources
from sandbox.twilio.resources.searches import Searches
from sandbox.twilio.resources.store import Store
from sandbox.twilio.responses import AccountResponses, Call, MessageResponses, Responder
from sandbox.twilio.routes import Route, routes
from sandbox.wire import Reply, Request, json_reply, retry_after_header

PREFIXES = ("/2010-04-01/", "/v1/AuthTokens/", "/v1/Services")
# Seen in recordings of Twilio's answers.
STANDING_HEADERS = {
    "X-Home-Region": "us1",
    "X-API-Domain": "api.twilio.com",
    "X-Powered-By": "AT-5000",
    "X-Shenanigans": "none",
}


class Twilio(Service):
    """A `sandbox.service.Service`."""

    name = "twilio"

    def reset(self) -> None:
        context, clock = self._context, self._clock
        self._accounts, self._book = AccountBook(), MessageBook()
        self._accounts.add([default_account(clock.now())])
        outbox = Outbox(self._book, context=context, clock=clock, callbacks=self._callbacks)
        world = World(Store(), self._accounts, self._book, context, clock)
        kinds, feedback = behaviours(world), CallFeedback(world)
        self._routes = (
            *routes(MessageResponses(self._book, outbox, clock), AccountResponses(self._accounts, context, clock)),
            *feedback.routes(),
            *Searches(world).routes(),
            *Resources(world, kinds).routes(),
        )
        self._admin = TwilioAdmin(self._accounts, inbox=Inbox(outbox, self._callbacks), outbox=outbox, clock=clock)
        self._resource_admin = ResourceAdmin(world, kinds, feedback)

    def owns(self, path: str) -> bool:
        return path.startswith(PREFIXES)

    def handle(self, request: Request) -> Reply:
        try:
            responder, call = self._resolve(request)
            return responder(call)
        except TwilioError as refusal:
            return _refused(refusal.code, refusal.values)

    def response_headers(self, reply: Reply, *, under_way: int, seconds: float) -> Mapping[str, str]:
        return {
            **reply.headers,
            "Twilio-Concurrent-Requests": str(under_way),
            "Twilio-Request-Id": f"RQ{self._context.dice.getrandbits(128):032x}",
            "Twilio-Request-Duration": f"{seconds:.3f}",
            **STANDING_HEADERS,
        }

    def too_many_requests(self, retry_after: float) -> Reply:
        return _refused(20429, retry_after=retry_after)

    def server_error(self, status: int, retry_after: float | None = None) -> Reply:
        code = 20503 if status == 503 else 20500
        return _refused(code, status=status, retry_after=retry_after)

    def admin_actions(self) -> Mapping[tuple[str, str], AdminAction]:
        return {**self._admin.actions(), **self._resource_admin.actions()}

    def messages(self, since: int = 0) -> Iterator[Mapping[str, Any]]:
        now = self._clock.now()
        return (witness_document(message, now) for message in self._book.since(since))

    def _resolve(self, request: Request) -> tuple[Responder, Call]:
        """In Twilio's order: an address that cannot be is not found before anybody is asked who they are."""
        for route in self._routes:
            match = route.pattern.fullmatch(request.path)
            if match is not None:
                places = match.groupdict()
                caller = self._authenticated(request)
                account = self._opened(route, caller, sid=places.get("account"))
                responder = route.methods.get(request.method)
                if responder is None:
                    raise TwilioError(20004)
                return responder, Call(request, caller, account, places)
        raise TwilioError(20404, path=request.path)

    def _authenticated(self, request: Request) -> Caller:
        caller = self._accounts.caller(request.headers.get("Authorization"))
        if caller is None:
            raise TwilioError(20003)
        return caller

    def _opened(self, route: Route, caller: Caller, *, sid: str | None) -> Account:
        account = caller.account if sid is None else self._accounts.reach(caller, sid)
        if account is None:
            raise TwilioError(20003)
        if route.guarded and caller.rights is Rights.STANDARD:
            # UNVERIFIED which status a standard key gets here; 403 tells it from wrong credentials.
            raise TwilioError(20003, status="403")
        if account.status != "active" and not route.open_when_inactive:
            raise TwilioError(20005, sid=account.sid)
        return account


def _refused(
    code: int,
    values: Mapping[str, str] | None = None,
    *,
    status: int | None = None,
    retry_after: float | None = None,
) -> Reply:
    """Return an error answer; `status` replaces the usual one of the code."""
    body = error_body(code, values)
    if status is None:
        status = int((values or {}).get("status", REFUSALS[code].status))
    headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if status == 401 else {}
    headers |= retry_after_header(retry_after)
    return json_reply(status, {**body, "status": status}, headers)
