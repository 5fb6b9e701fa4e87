"""The resource, put together: addresses, credentials, state, and the admin calls of its own."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from sandbox.azure.authentication import denial
from sandbox.azure.events import EventGrid, read_subscription, received_event, report_event
from sandbox.azure.messages import Book, Message
from sandbox.azure.numbers import E164, INVALID, OPTED_OUT, SENDERS, TIMED_OUT, Outcome, is_sender, outcome_for
from sandbox.azure.requests import BAD_DATE, InvalidRequestError, Recipient, Send, read_opt_outs, read_send
from sandbox.segments import segment_count
from sandbox.service import AdminAction, AdminError, Service
from sandbox.wire import Reply, Request, json_reply, retry_after_header

# Both keys of the resource; each is valid until it is replaced.
ACCESS_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
SECONDARY_KEY = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
STABLE = ("2021-03-07", "2022-07-07", "2024-01-02", "2024-02-05", "2025-09-17", "2026-01-23")
# Delivery reports can be read since 2025-08-01-preview, opt-outs be managed since 2024-12-10-preview.
WITH_REPORTS = (*STABLE[-1:], "2025-08-01-preview")
WITH_OPT_OUTS = (*STABLE[-2:], "2024-12-10-preview", "2025-08-01-preview")
SEND, OPT_OUTS, REPORTS = "/sms", "/sms/optouts:", "/deliveryReports/"
# How long a repeatable request is remembered is not published.
REMEMBERED_SECONDS = 86_400.0
STOP, START = frozenset({"STOP"}), frozenset({"START", "UNSTOP"})
Item = dict[str, Any]


class Azure(Service):
    """A `sandbox.service.Service`."""

    name = "azure"

    def reset(self) -> None:
        self._book = Book()
        self._keys = {"primary": ACCESS_KEY, "secondary": SECONDARY_KEY}
        self._events = EventGrid(self._callbacks, self._context.dice)

    def owns(self, path: str) -> bool:
        return path == SEND or path.startswith((OPT_OUTS, REPORTS))

    def handle(self, request: Request) -> Reply:
        # By the client's clock: a test that moves the simulator's doesn't move that.
        denied = denial(request, self._keys.values(), now=self._clock.now() - self._clock.skipped)
        if denied is not None:
            return _error(401, "Denied", denied)
        version = dict(request.query_pairs()).get("api-version")
        if not version:
            return _error(400, "ApiVersionUnspecified", "An API version is required, but was not specified.")
        try:
            return self._route(request, version)
        except InvalidRequestError as invalid:
            return self._problem(400, "One or more validation errors occurred.", errors=invalid.errors)

    def response_headers(self, reply: Reply, *, under_way: int, seconds: float) -> Mapping[str, str]:  # noqa: ARG002 - not shown here
        return {
            **reply.headers,
            "Request-Context": "appId=",
            "MS-CV": f"{self._context.dice.getrandbits(64):016x}.0",
            "api-supported-versions": ", ".join(STABLE),
            "X-Processing-Time": f"{seconds * 1000:.0f}ms",
        }

    def too_many_requests(self, retry_after: float) -> Reply:
        # UNVERIFIED for SMS: Microsoft documents Retry-After for e-mail of the same resources (service-limits).
        return _error(429, "TooManyRequests", "The request rate limit was exceeded.", retry_after=retry_after)

    def server_error(self, status: int, retry_after: float | None = None) -> Reply:
        code = "ServiceUnavailable" if status == 503 else "InternalServerError"
        return _error(status, code, "The server could not process the request.", retry_after=retry_after)

    def messages(self, since: int = 0) -> Iterator[Mapping[str, Any]]:
        now = self._clock.now()
        return (message.witness(now) for message in self._book.since(since))

    def admin_actions(self) -> Mapping[tuple[str, str], AdminAction]:
        return {
            ("GET", "azure/subscriptions"): lambda _: list(map(asdict, self._events.subscriptions.values())),
            ("POST", "azure/subscriptions"): self._subscribe,
            ("POST", "azure/keys"): self._put_keys,
            ("GET", "azure/opt-outs"): lambda _: [
                {"sender": s, "recipient": to} for s, to in sorted(self._book.opt_outs)
            ],
            ("POST", "azure/inbound"): self._inbound,
        }

    def _route(self, request: Request, version: str) -> Reply:
        actions: Mapping[tuple[str, str], tuple[tuple[str, ...], Callable[[Request], Reply]]] = {
            ("POST", SEND): (STABLE, self._send),
            **{("POST", OPT_OUTS + name): (WITH_OPT_OUTS, self._opt_out) for name in ("add", "remove", "check")},
            ("GET", REPORTS): (WITH_REPORTS, self._report),
        }
        found = actions.get((request.method, REPORTS if request.path.startswith(REPORTS) else request.path))
        if found is None:
            return self._problem(404, "Not Found")
        versions, action = found
        if version not in versions:
            text = f"The HTTP resource that matches the request URI does not support the API version '{version}'."
            return _error(400, "UnsupportedApiVersion", text)
        return action(request)

    def _send(self, request: Request) -> Reply:
        """Answer 202 whatever became of each recipient."""
        send = read_send(request.body)
        if not is_sender(send.sender):
            # Recorded by the official SDKs: a number of somebody else is a 401 with an empty body.
            return Reply(401)
        # One time for all of a call: reports that fall due together can share a request.
        now, at_once = self._clock.now(), self._callbacks.settles_first()
        accepted: list[Message] = []
        items = []
        for recipient in send.recipients:
            item = self._repeated(recipient)
            if item is None and recipient.refusal is None:
                accepted.append(self._accept(send, recipient, now=now, at_once=at_once))
                item = self._answered(recipient, accepted[-1])
            items.append(item or _refused(recipient))
        reply = json_reply(202, {"value": items})
        return replace(reply, until=self._call_back(accepted, at_once=at_once))

    def _answered(self, recipient: Recipient, message: Message) -> Item:
        item: Item = {"to": message.to, "messageId": message.id, "httpStatusCode": 202, "successful": True}
        if recipient.request_id is not None and recipient.first_sent is not None:
            item["repeatabilityResult"] = "accepted"
            self._book.taken[recipient.request_id] = (message.to, recipient.first_sent), item
        return item

    def _repeated(self, recipient: Recipient) -> Item | None:
        """Return the earlier answer to a repeated request, a refusal of one that can't be repeatable, None for a new one.

        "The client can make the request multiple times with the same id and get back an appropriate response without the
        server executing the request multiple times" (REST description). UNVERIFIED: what is answered to the same id with
        another recipient or date, or to a date before anything that is remembered; both are rejected here.
        """
        if not recipient.repeatable:
            return None
        if recipient.request_id is None or recipient.first_sent is None:
            return _rejected(recipient, BAD_DATE)
        earlier = self._book.taken.get(recipient.request_id)
        if earlier is not None and earlier[0] == (recipient.to, recipient.first_sent):
            return earlier[1]
        if earlier is not None:
            return _rejected(recipient, "The repeatability-request-id was used for another request.")
        if recipient.first_sent < self._clock.now() - REMEMBERED_SECONDS:
            return _rejected(recipient, "The repeatability-first-sent is too long ago.")
        return None

    def _accept(self, send: Send, recipient: Recipient, *, now: float, at_once: bool) -> Message:
        outcome = outcome_for(recipient.to)
        if (send.sender, recipient.to) in self._book.opt_outs:
            # It is taken, and the report says so: learn.microsoft.com/azure/communication-services/concepts/sms/sms-faq.
            outcome = Outcome(OPTED_OUT)
        seconds = 0.0 if at_once else self._seconds() * outcome.pace
        code = outcome.code
        if send.report_timeout is not None and (code is None or seconds > send.report_timeout):
            code, seconds = TIMED_OUT, float(send.report_timeout)
        return self._add(
            "Outgoing",
            now,
            sender=send.sender,
            to=recipient.to,
            body=send.body,
            report_at=now + seconds,
            code=code,
            reported=send.reports,
            tag=send.tag,
            request_id=recipient.request_id,
        )

    def _add(self, prefix: str, now: float, *, sender: str, to: str, body: str, **more: Any) -> Message:
        moment = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))
        unique = uuid.UUID(int=self._context.dice.getrandbits(128), version=4)
        sequence, segments = self._book.next_sequence(), segment_count(body)
        message = Message(f"{prefix}_{moment}{unique}_noam", sequence, sender, to, body, segments, now, **more)
        self._book.add(message)
        return message

    def _call_back(self, messages: list[Message], *, at_once: bool) -> asyncio.Future[Any] | None:
        wanted = self._callbacks.behaviour.statuses
        events = []
        for message in messages:
            due = message.report_at
            report = message.report(due)
            if report is not None and (wanted is None or report["deliveryStatus"].lower() in wanted):
                events.append(report_event(message, report, due=due))
        planned = self._events.webhooks(events)
        if at_once:
            return self._callbacks.post_now([webhook for _, webhook in planned])
        self._callbacks.plan(planned)
        return None

    def _report(self, request: Request) -> Reply:
        message = self._book.find(request.path.removeprefix(REPORTS))
        report = None if message is None else message.report(self._clock.now())
        return self._problem(404, "Not Found") if report is None else json_reply(200, report)

    def _opt_out(self, request: Request) -> Reply:
        """Add, remove or check, as the end of the path says."""
        sender, recipients = read_opt_outs(request.body)
        known, action = self._book.opt_outs, request.path.removeprefix(OPT_OUTS)
        items = []
        for to in recipients:
            item: Item = {"to": to, "httpStatusCode": 200}
            if not E164.fullmatch(to):
                item |= {"httpStatusCode": 400, "errorMessage": "Invalid recipient phone number format"}
            elif action == "check":
                item["isOptedOut"] = (sender, to) in known
            else:
                (known.add if action == "add" else known.discard)((sender, to))
            items.append(item)
        return json_reply(200, {"value": items})

    async def _subscribe(self, body: Mapping[str, Any]) -> dict[str, Any]:
        subscription = read_subscription(body)
        await self._events.subscribe(subscription)
        return asdict(subscription)

    def _put_keys(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`primary`, `secondary`: base64. What is named is replaced, and the old one is refused from then on."""
        for name in self._keys.keys() & body.keys():
            self._keys[name] = str(body[name])
        return {"replaced": sorted(self._keys.keys() & body.keys())}

    async def _inbound(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`to`, `from`, `body`: somebody texts one of our numbers; answers what the first attempt of the event said."""
        to, sender, text = (str(body.get(name, "")) for name in ("to", "from", "body"))
        if to not in SENDERS:
            raise AdminError(f"to: {to!r} is none of the resource's numbers: {', '.join(SENDERS)}")
        if not E164.fullmatch(sender):
            raise AdminError("from: a phone number in E.164 form is needed")
        message = self._add("Incoming", self._clock.now(), sender=sender, to=to, body=text)
        word = text.strip().upper()
        if word in STOP:
            self._book.opt_outs.add((to, sender))
        elif word in START:
            self._book.opt_outs.discard((to, sender))
        planned = self._events.webhooks([received_event(message)])
        outcomes = [await self._callbacks.post_first(webhook) for _, webhook in planned]
        said = [{"status": outcome.status, "error": outcome.error} for outcome in outcomes]
        return {"sid": message.id, "webhook": said[0] if said else None, "replies": []}

    def _seconds(self) -> float:
        settings = self._context.settings
        spread = settings.delivery_spread_seconds
        return settings.delivery_seconds + (self._context.dice.uniform(0, spread) if spread else 0.0)

    def _problem(self, status: int, title: str, *, errors: Mapping[str, list[str]] | None = None) -> Reply:
        trace = f"00-{self._context.dice.getrandbits(128):032x}-{self._context.dice.getrandbits(64):016x}-00"
        kind = f"https://tools.ietf.org/html/rfc9110#section-15.5.{status - 399}"
        document = {"type": kind, "title": title, "status": status, "traceId": trace}
        return json_reply(status, {**document, "errors": errors} if errors else document)


def _refused(recipient: Recipient) -> Item:
    status, message = recipient.refusal or INVALID
    return {"to": recipient.to, "httpStatusCode": status, "errorMessage": message, "successful": False}


def _rejected(recipient: Recipient, message: str) -> Item:
    item = {"to": recipient.to, "httpStatusCode": 400, "repeatabilityResult": "rejected", "errorMessage": message}
    return {**item, "successful": False}


def _error(status: int, code: str, message: str, *, retry_after: float | None = None) -> Reply:
    headers = retry_after_header(retry_after)
    return json_reply(status, {"error": {"code": code, "message": message}}, headers)
