"""Infobip, put together: addresses, credentials, state, and the admin calls of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.infobip import bulks, management, numbers
from sandbox.infobip.account import default_account
from sandbox.infobip.errors import InfobipError
from sandbox.infobip.logs import Query, list_logs
from sandbox.infobip.models import Book, Bulk, witness_document
from sandbox.infobip.outbox import Outbox
from sandbox.infobip.statuses import status_document
from sandbox.infobip.validation import read_envelope, read_fields
from sandbox.segments import segment_count
from sandbox.service import AdminAction, AdminError, Service
from sandbox.wire import Reply, Request, json_reply

PREFIXES = ("/sms/1/", "/sms/3/", "/account/1/", "/settings/2/api-keys")
SEND_SCOPES = ("message:send", "sms:message:send", "sms:manage")
SMS = ("sms:manage",)
MANAGE = ("account-management:manage",)
Responder = Callable[[Request], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """A call, and the scopes of which its caller needs one (`x-scopes` of the API's description)."""

    method: str
    path: str
    scopes: tuple[str, ...]
    respond: Responder
    takes_keys: bool = True


class Infobip(Service):
    """A `sandbox.service.Service`."""

    name = "infobip"

    def reset(self) -> None:
        context, clock = self._context, self._clock
        self._account, self._book = default_account(clock.now()), Book()
        self._outbox = Outbox(self._account, self._book, context=context, clock=clock, callbacks=self._callbacks)
        self._routes = self._all_routes()

    def owns(self, path: str) -> bool:
        return path.startswith(PREFIXES)

    def handle(self, request: Request) -> Reply:
        try:
            answer = self._resolve(request).respond(request)
        except InfobipError as error:
            return error.reply()
        return answer if isinstance(answer, Reply) else json_reply(200, answer)

    def response_headers(self, reply: Reply, *, under_way: int, seconds: float) -> Mapping[str, str]:
        del under_way, seconds
        return {**reply.headers, "X-Request-Id": str(self._context.dice.getrandbits(59))}

    def too_many_requests(self, retry_after: float) -> Reply:
        return InfobipError(429, retry_after=retry_after).reply()

    def server_error(self, status: int, retry_after: float | None = None) -> Reply:
        return InfobipError(status, retry_after=retry_after).reply()

    def admin_actions(self) -> Mapping[tuple[str, str], AdminAction]:
        return {
            ("GET", "infobip/account"): lambda _: self._shown(),
            ("POST", "infobip/account"): self._change_account,
            ("POST", "infobip/inbound"): self._inbound,
        }

    def messages(self, since: int = 0) -> Iterator[Mapping[str, Any]]:
        """Return what was accepted or received; a destination that was rejected at once is in the logs only."""
        now = self._clock.now()
        for message in self._book.everything[since:]:
            if not getattr(message, "rejected", False):
                yield witness_document(message, now)

    def _all_routes(self) -> tuple[Route, ...]:
        logs, keys = ("sms:manage", "sms:logs:read"), "/settings/2/api-keys"
        one_key = rf"{keys}/(?P<id>\w+)"
        return (
            Route("POST", "/sms/3/messages", SEND_SCOPES, self._send),
            Route("GET", "/sms/3/logs", logs, self._logs),
            Route("GET", "/sms/1/bulks", SMS, lambda each: bulks.time_document(self._bulk(each))),
            Route("PUT", "/sms/1/bulks", SMS, self._reschedule),
            Route("GET", "/sms/1/bulks/status", SMS, self._bulk_status),
            Route("PUT", "/sms/1/bulks/status", SMS, self._change_bulk_status),
            Route("POST", "/sms/1/preview", SMS, _preview),
            Route("GET", "/account/1/balance", MANAGE, lambda _: {"balance": self._account.balance, "currency": "EUR"}),
            Route("GET", keys, MANAGE, self._list_keys, takes_keys=False),
            Route("POST", keys, MANAGE, self._create_key, takes_keys=False),
            Route("GET", one_key, MANAGE, self._fetch_key, takes_keys=False),
            Route("PUT", one_key, MANAGE, self._update_key, takes_keys=False),
        )

    def _resolve(self, request: Request) -> Route:
        found = [route for route in self._routes if re.fullmatch(route.path, request.path)]
        if not found:
            raise InfobipError(404)
        route = next((each for each in found if each.method == request.method), None)
        authorization = request.headers.get("Authorization", "")
        scopes = self._account.scopes_of(
            authorization, now=self._clock.now(), takes_keys=all(each.takes_keys for each in found)
        )
        if route is None:
            raise InfobipError(405)
        if not set(scopes) & set(route.scopes):
            raise InfobipError(403)
        return route

    def _send(self, request: Request) -> Reply:
        now = self._clock.now()
        envelope = read_envelope(request.body, now=now)
        bulk, until = self._outbox.send(envelope)
        results = []
        for message in bulk.messages:
            # The first status, however fast the delivery is.
            status = status_document(message.plan[0][1])
            result = {"messageId": message.id, "status": status, "destination": message.to}
            counted = {"details": {"messageCount": message.parts}} if envelope.counts_parts else {}
            results.append({**result, **counted})
        reply = json_reply(200, {"bulkId": bulk.id, "messages": results})
        return Reply(reply.status, reply.body, reply.headers, until)

    def _logs(self, request: Request) -> dict[str, Any]:
        now = self._clock.now()
        self._account.logs.take(now)
        return list_logs(self._book, Query(request.query), now=now)

    def _bulk(self, request: Request) -> Bulk:
        return bulks.find_bulk(self._book, Query(request.query))

    def _reschedule(self, request: Request) -> dict[str, Any]:
        bulk = self._bulk(request)
        bulks.reschedule(bulk, request.body, now=self._clock.now())
        self._outbox.plan_again(bulk)
        return bulks.time_document(bulk)

    def _bulk_status(self, request: Request) -> dict[str, Any]:
        return bulks.status_document(self._bulk(request), self._clock.now())

    def _change_bulk_status(self, request: Request) -> dict[str, Any]:
        bulk = self._bulk(request)
        bulks.change_status(bulk, request.body, now=self._clock.now())
        self._outbox.plan_again(bulk)
        return self._bulk_status(request)

    def _list_keys(self, request: Request) -> dict[str, Any]:
        return management.list_keys(self._account, Query(request.query))

    def _create_key(self, request: Request) -> dict[str, Any]:
        dice, now = self._context.dice, self._clock.now()
        return management.create_key(self._account, request.body, dice=dice, now=now)

    def _fetch_key(self, request: Request) -> dict[str, Any]:
        return management.key_document(management.find_key(self._account, _last(request.path)))

    def _update_key(self, request: Request) -> dict[str, Any]:
        return management.update_key(self._account, _last(request.path), request.body)

    def _shown(self) -> dict[str, Any]:
        account, subscription = self._account, self._account.subscription
        return {
            "balance": account.balance,
            "numbers": sorted(account.numbers),
            "blocklist": sorted(account.blocklist),
            "keywordRules": account.keyword_rules,
            "keysManageKeys": account.keys_manage_keys,
            "logsPerMinute": account.logs.most,
            "keys": [{"id": key.id, "name": key.name, "enabled": key.enabled} for key in account.keys.values()],
            "deliveryUrl": subscription.delivery_url,
            "inboundUrl": subscription.inbound_url,
            "username": subscription.username,
            "maxBucketSize": subscription.bucket,
        }

    def _change_account(self, body: Mapping[str, Any]) -> dict[str, Any]:
        account = self._account
        subscription = account.subscription
        for name, (owner, attribute) in {
            "balance": (account, "balance"),
            "keywordRules": (account, "keyword_rules"),
            "keysManageKeys": (account, "keys_manage_keys"),
            "logsPerMinute": (account.logs, "most"),
            "deliveryUrl": (subscription, "delivery_url"),
            "inboundUrl": (subscription, "inbound_url"),
            "username": (subscription, "username"),
            "password": (subscription, "password"),
            "maxBucketSize": (subscription, "bucket"),
        }.items():
            if name in body:
                setattr(owner, attribute, body[name])
        account.numbers |= {numbers.plain(each) for each in body.get("numbers", [])}
        if "blocklist" in body:
            account.blocklist = {numbers.plain(each): self._clock.now() for each in body["blocklist"]}
        return self._shown()

    async def _inbound(self, body: Mapping[str, Any]) -> dict[str, Any]:
        to, sender = numbers.plain(str(body.get("to", ""))), numbers.digits(str(body.get("from", "")))
        if to not in self._account.numbers:
            raise AdminError(f"to: {to!r} is none of the account's numbers: {', '.join(sorted(self._account.numbers))}")
        if sender is None:
            raise AdminError("from: a phone number in E.164 form is needed")
        message, outcome = await self._outbox.receive(to=to, sender=sender, body=str(body.get("body", "")))
        webhook = None if outcome is None else {"status": outcome.status, "error": outcome.error}
        return {"sid": message.id, "webhook": webhook, "replies": []}


def _preview(request: Request) -> dict[str, Any]:
    fields = read_fields(request.body)
    text = fields.text("text", required=True)
    if fields.violations:
        raise InfobipError(400, fields.violations)
    preview = {"textPreview": text, "messageCount": segment_count(text), "charactersRemaining": 0, "configuration": {}}
    return {"originalText": text, "previews": [preview]}


def _last(path: str) -> str:
    return path.rpartition("/")[2]
