"""The endpoint, put together: it takes messages, answers for their status, reports and hands on what comes in.

The documents are those of the custom channel of Customer Insights - Journeys
(github.com/MicrosoftDocs/customer-insights, ci-docs/journeys/real-time-marketing-custom-channel-custom-API.md), as JSON over
HTTP.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from sandbox.callbacks import PlainPolicy, Webhook
from sandbox.custom import numbers
from sandbox.custom.messages import Book, Message
from sandbox.custom.signature import sign, signature_problem
from sandbox.service import AdminAction, AdminError, Service
from sandbox.wire import JSON_TYPE, Reply, Request, retry_after_header

SEND_PATH, STATUS_PATH = "/custom/messages", "/custom/statuses"
SECRET = "whsec_Y3VzdG9tIGNoYW5uZWwgb2YgdGhlIHNhbmRib3g="  # noqa: S105 - of a simulator
API_KEY = "customchannelkey0001"
SENDER = "+15551234567"
RECIPIENTS_PER_CALL = 1000
# camelCase names an admin call may set, and the field each sets.
CHANNEL_FIELDS = {"secrets": "secrets", "apiKey": "api_key", "statusUrl": "status_url", "inboundUrl": "inbound_url"}
POLICY = PlainPolicy()


@dataclass(slots=True)
class Channel:
    """What is configured. The first secret signs callbacks, each is accepted; without an `api_key` none is asked for."""

    secrets: list[str] = field(default_factory=lambda: [SECRET])
    api_key: str | None = API_KEY
    status_url: str | None = None
    inbound_url: str | None = None


class Custom(Service):
    """A `sandbox.service.Service`."""

    name = "custom"

    def reset(self) -> None:
        self._channel, self._book = Channel(), Book()

    def owns(self, path: str) -> bool:
        return path == SEND_PATH or path.startswith(f"{STATUS_PATH}/")

    def handle(self, request: Request) -> Reply:
        problem = self._credentials_problem(request)
        if problem is not None:
            return _problem(401, "Unauthorized", problem)
        if request.path == SEND_PATH and request.method == "POST":
            return self._send(request)
        if request.method != "GET":
            return _problem(405, "MethodNotAllowed", f"{request.method} is not served here")
        return _json(200, {}) if request.path == SEND_PATH else self._status(request.path.rpartition("/")[2])

    def too_many_requests(self, retry_after: float) -> Reply:
        return _problem(429, "TooManyRequests", "try again later", retry_after=retry_after)

    def server_error(self, status: int, retry_after: float | None = None) -> Reply:
        return _problem(status, "ServerError", "something failed", retry_after=retry_after)

    def admin_actions(self) -> Mapping[tuple[str, str], AdminAction]:
        return {("POST", "custom/channel"): self._put_channel, ("POST", "custom/inbound"): self._inbound}

    def messages(self, since: int = 0) -> Iterator[Mapping[str, Any]]:
        return self._book.documents(since, self._clock.now())

    def _credentials_problem(self, request: Request) -> str | None:
        channel = self._channel
        if channel.api_key is not None and request.headers.get("Authorization") != f"Bearer {channel.api_key}":
            return "the api key is missing or wrong"
        # Timestamps of requests are real ones, however far a test has moved the clock.
        real = self._clock.now() - self._clock.skipped
        return signature_problem(request.headers, request.body, secrets=channel.secrets, now=real)

    def _send(self, request: Request) -> Reply:
        try:
            document = json.loads(request.body)
        except ValueError:
            return _problem(400, "BadRequest", "the body is not JSON")
        together = isinstance(document, list)
        items = document if together else [document]
        if not 1 <= len(items) <= RECIPIENTS_PER_CALL or not all(isinstance(item, dict) for item in items):
            return _problem(400, "BadRequest", f"1 to {RECIPIENTS_PER_CALL} messages are needed, each an object")
        refusal = None if together else self._refused_by_status(document)
        if refusal is not None:
            return refusal
        before_answer = self._channel.status_url is not None and self._callbacks.settles_first()
        accepted: list[Message] = []
        now = self._clock.now()
        answers = [self._take(item, accepted, now=now, before_answer=before_answer) for item in items]
        until = self._call_back(accepted, before_answer=before_answer)
        return replace(_json(200, answers if together else answers[0]), until=until)

    def _refused_by_status(self, item: Mapping[str, Any]) -> Reply | None:
        status = numbers.REFUSED_BY_STATUS.get(str(item.get("To")))
        if status is None:
            return None
        if status == 403:
            return Reply(status, b"this country is not served", {"Content-Type": "text/plain"})
        return _problem(status, numbers.REFUSED[str(item["To"])], "no route to this number")

    def _take(
        self, item: Mapping[str, Any], accepted: list[Message], *, now: float, before_answer: bool
    ) -> dict[str, Any]:
        """Return the answer for one message; the same `IdempotencyId` gets the first answer again."""
        key = item.get("IdempotencyId")
        if isinstance(key, str) and key in self._book.answers:
            return self._book.answers[key]
        reason = _problem_of(item)
        if reason is not None:
            details = {"Reason": reason, "Message": f"not sent: {reason}"}
            answer = {"RequestId": item.get("RequestId"), "Status": numbers.NOT_SENT, "Details": details}
        else:
            message = self._accept(item, now=now, before_answer=before_answer)
            accepted.append(message)
            answer = {
                "MessageId": message.message_id,
                "RequestId": message.request_id,
                "Status": numbers.SENT,
                "Details": {},
            }
        if isinstance(key, str):
            self._book.answers[key] = answer
        return answer

    def _accept(self, item: Mapping[str, Any], *, now: float, before_answer: bool) -> Message:
        to, settings = item["To"], self._context.settings
        spread = settings.delivery_spread_seconds
        span = settings.delivery_seconds + (self._context.dice.uniform(0, spread) if spread else 0.0)
        span = 0.0 if before_answer else span * (numbers.SLOWNESS if to == numbers.SLOW else 1.0)
        message = Message(
            sequence=len(self._book.messages) + 1,
            message_id=self._id(),
            request_id=item["RequestId"],
            idempotency_id=item["IdempotencyId"],
            direction="outbound",
            to=to,
            sender=item["From"],
            body=item["Message"]["text"],
            accepted_at=now,
            ends_at=None if to == numbers.STAYS else now + span,
            end=numbers.ENDS.get(to, (numbers.DELIVERED, "")),
        )
        self._book.add(message)
        return message

    def _call_back(self, accepted: Sequence[Message], *, before_answer: bool) -> asyncio.Future[Any] | None:
        """Report the end of each, or the statuses that the settings name; what ends at one moment is one array."""
        if self._channel.status_url is None:
            return None
        wanted = self._callbacks.behaviour.statuses
        due: list[tuple[float, dict[str, Any]]] = []
        for message in accepted:
            if wanted is not None and numbers.SENT in wanted:
                due.append((message.accepted_at, message.report(numbers.SENT, "")))
            if message.ends_at is not None and (wanted is None or message.end[0] in wanted):
                due.append((message.ends_at, message.report(*message.end)))
        groups = groupby(sorted(due, key=lambda each: each[0]), key=lambda each: each[0])
        events = [(at, self._reports([report for _, report in group])) for at, group in groups]
        if before_answer:
            return self._callbacks.post_now([webhook for _, webhook in events])
        self._callbacks.plan(events)
        return None

    def _reports(self, reports: Sequence[dict[str, Any]]) -> Webhook:
        first = reports[0]
        document = first if len(reports) == 1 else reports
        return self._webhook(self._channel.status_url or "", first["MessageId"], first["Status"], document)

    def _webhook(self, url: str, subject: str, label: str, document: Any) -> Webhook:
        body, id_ = json.dumps(document, ensure_ascii=False).encode(), self._id()

        def headers() -> Mapping[str, str]:
            # The time and the key of the attempt; the id is the same in each.
            moment = str(int(self._clock.now() - self._clock.skipped))
            signature = sign(self._channel.secrets[0], id_, moment, body)
            return {
                "Content-Type": JSON_TYPE,
                "webhook-id": id_,
                "webhook-timestamp": moment,
                "webhook-signature": signature,
            }

        return Webhook(subject, label, "POST", url, (), headers, POLICY, body=body)

    def _status(self, request_id: str) -> Reply:
        message = self._book.by_request.get(request_id)
        if message is None:
            return _problem(404, "NotFound", "no message has this RequestId")
        return _json(200, message.report(*message.status(self._clock.now())))

    def _put_channel(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """CHANNEL_FIELDS."""
        for name, attribute in CHANNEL_FIELDS.items():
            if name in body:
                setattr(self._channel, attribute, body[name])
        return {"statusUrl": self._channel.status_url, "inboundUrl": self._channel.inbound_url}

    def _inbound(self, body: Mapping[str, Any]) -> Awaitable[dict[str, Any]]:
        """`from`, `to`, `body`."""
        to, sender = str(body.get("to", "")), str(body.get("from", ""))
        if not to or not sender:
            raise AdminError("from, to: two addresses are needed")
        return self._take_inbound(to, sender, str(body.get("body", "")))

    async def _take_inbound(self, to: str, sender: str, text: str) -> dict[str, Any]:
        id_ = self._id()
        message = Message(
            sequence=len(self._book.messages) + 1,
            message_id=id_,
            request_id="",
            idempotency_id="",
            direction="inbound",
            to=to,
            sender=sender,
            body=text,
            accepted_at=self._clock.now(),
            ends_at=None,
        )
        self._book.messages.append(message)
        answer: dict[str, Any] = {"sid": id_, "webhook": None, "replies": []}
        if self._channel.inbound_url is None:
            return answer
        document = {"MessageId": id_, "To": to, "From": sender, "Message": {"text": text}}
        outcome = await self._callbacks.post(self._webhook(self._channel.inbound_url, id_, "inbound", document))
        return answer | {"webhook": {"status": outcome.status, "error": outcome.error}}

    def _id(self) -> str:
        return f"cm-{self._context.dice.getrandbits(96):024x}"


def _problem_of(item: Mapping[str, Any]) -> str | None:
    """Return the reason why a message can't be sent, None if it can."""
    message = item.get("Message")
    texts = [item.get(name) for name in ("ChannelDefinitionId", "RequestId", "IdempotencyId", "From", "To")]
    texts.append(message.get("text") if isinstance(message, dict) else None)
    if not all(isinstance(text, str) and text for text in texts):
        return "BadRequest"
    if item["From"] in numbers.REFUSED_SENDERS:
        return "InvalidSender"
    return numbers.REFUSED.get(item["To"])


def _problem(status: int, reason: str, message: str, *, retry_after: float | None = None) -> Reply:
    # Whole seconds as in HTTP, rounded up so that waiting them is enough.
    headers = retry_after_header(retry_after)
    document = {"Status": numbers.NOT_SENT, "Details": {"Reason": reason, "Message": message}}
    return replace(_json(status, document), headers={"Content-Type": JSON_TYPE, **headers})


def _json(status: int, document: Any) -> Reply:
    return Reply(status, json.dumps(document, ensure_ascii=False).encode(), {"Content-Type": JSON_TYPE})
