"""LINK's Common API, put together: addresses, credentials, state, and the admin calls of its own."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sandbox.callbacks import Webhook
from sandbox.link_mobility import gates, numbers, sending
from sandbox.link_mobility.accounts import INBOUND_GATE, NUMBERS, Account, Destination, Gate
from sandbox.link_mobility.codes import QUEUED, RESULTS, LinkError
from sandbox.link_mobility.messages import Message, inbound_document, report_document, stages_for, webhooks
from sandbox.link_mobility.sending import Draft, Envelope
from sandbox.service import AdminAction, AdminError, Service
from sandbox.wire import JSON_TYPE, Reply, Request, json_reply, retry_after_header

SEND, BATCH, TOKEN = "/sms/send", "/sms/sendbatch", "/auth/token"
# Fields of an account that an admin call may set.
ACCOUNT_FIELDS = {
    "username": "username",
    "password": "password",
    "clientId": "client_id",
    "clientSecret": "client_secret",
    "gateApi": "gate_api",
}


class LinkMobility(Service):
    """A `sandbox.service.Service`."""

    name = "link-mobility"

    def reset(self) -> None:
        self._account = Account()
        self._messages: list[Message] = []

    def owns(self, path: str) -> bool:
        return path in (SEND, BATCH, TOKEN) or path.startswith(gates.ROOT)

    def handle(self, request: Request) -> Reply:
        try:
            return self._answer(request)
        except LinkError as error:
            return _refused(error.status, error.code, error.text)

    def too_many_requests(self, retry_after: float) -> Reply:
        # Not documented: throughput is part of the contract. With the header that HTTP has for it.
        return _refused(429, 106000, "Too Many Requests", retry_after)

    def server_error(self, status: int, retry_after: float | None = None) -> Reply:
        return _refused(status, 106000, "Unknown Error.", retry_after)

    def admin_actions(self) -> Mapping[tuple[str, str], AdminAction]:
        return {
            ("POST", f"{self.name}/account"): self._change_account,
            ("POST", f"{self.name}/gates"): self._put_gate,
            ("POST", f"{self.name}/inbound"): self._take_inbound,
        }

    def messages(self, since: int = 0) -> Iterator[Mapping[str, Any]]:
        now = self._clock.now()
        return (message.witness(now) for message in self._messages[since:])

    def _answer(self, request: Request) -> Reply:
        now = self._clock.now()
        if request.path == TOKEN:
            return self._account.issue_token(request, now=now, dice=self._context.dice)
        about_gates = request.path.startswith(gates.ROOT)
        if not self._account.admits(request, now):
            raise LinkError(103100 if about_gates else 106100)
        if about_gates:
            return gates.answer(self._account, request)
        if request.method != "POST":
            raise LinkError(106000, status=405)
        document = sending.read_body(request)
        envelope = sending.read_envelope(self._account, document)
        return self._send_batch(document, envelope) if request.path == BATCH else self._send(document, envelope)

    def _send(self, document: Mapping[str, Any], envelope: Envelope) -> Reply:
        draft = sending.read_draft(document, envelope, now=self._clock.now())
        if isinstance(draft, int):
            raise LinkError(draft)
        message, early = self._accept(draft, envelope)
        said = {"messageId": message.id, "resultCode": QUEUED, "description": RESULTS[QUEUED].text}
        counted = {"smsCount": message.parts} if draft.counted else {}
        reply = Reply(204) if envelope.silent else json_reply(200, {**said, **counted})
        return replace(reply, until=self._callbacks.post_now(early)) if early else reply

    def _send_batch(self, document: Mapping[str, Any], envelope: Envelope) -> Reply:
        answers, early = [], []
        items, now = sending.read_batch(document), self._clock.now()
        # All are read before any is accepted: a refusal of the whole call leaves nothing behind.
        for item, draft in [(item, sending.read_draft(item, envelope, now=now)) for item in items]:
            if isinstance(draft, int):
                said = {"messageId": None, "refId": item.get("refId"), "resultCode": draft}
                answers.append({**said, "message": RESULTS[draft].text})
                continue
            message, reports = self._accept(draft, envelope)
            early += reports
            said = {"messageId": message.id, "refId": draft.ref_id, "resultCode": QUEUED}
            counted = {"smsCount": message.parts} if draft.counted else {}
            answers.append({**said, "message": RESULTS[QUEUED].text, **counted})
        body = json.dumps(answers).encode()
        reply = Reply(204) if envelope.silent else Reply(200, body, {"Content-Type": JSON_TYPE})
        return replace(reply, until=self._callbacks.post_now(early)) if early else reply

    def _accept(self, draft: Draft, envelope: Envelope) -> tuple[Message, list[Webhook]]:
        """Return the message, and its reports where they arrive before the answer."""
        now, outcome = self._clock.now(), numbers.outcome_for(draft.to)
        before_answer = bool(envelope.gates) and draft.start <= now and self._callbacks.settles_first()
        span = envelope.validity_seconds if outcome.expires else self._span() * outcome.pace
        message = Message(
            id=self._id(),
            sequence=len(self._messages) + 1,
            direction="outbound",
            to=draft.to,
            sender=draft.sender,
            body=draft.body,
            accepted_at=now,
            start=draft.start,
            span=0.0 if before_answer else span,
            parts=draft.parts,
            ref_id=draft.ref_id,
            stages=stages_for(outcome, draft.parts),
            gates=envelope.gates,
        )
        self._messages.append(message)
        events = self._reports(message)
        if before_answer:
            return message, [each for _, each in events]
        self._callbacks.plan(events)
        return message, []

    def _reports(self, message: Message) -> list[tuple[float, Webhook]]:
        wanted = self._callbacks.behaviour.statuses
        return [
            (message.due(stage), hook)
            for stage in message.stages
            if wanted is None or str(stage.code) in wanted
            for gate in (self._account.gates[gate_id] for gate_id in message.gates)
            for hook in webhooks(gate, report_document(message, stage), subject=message.id, label=str(stage.code))
        ]

    def _span(self) -> float:
        settings = self._context.settings
        spread = settings.delivery_spread_seconds
        return settings.delivery_seconds + (self._context.dice.uniform(0, spread) if spread else 0.0)

    def _id(self) -> str:
        """As in LINK's examples: 24 characters of base64, `+` and `/` among them."""
        return b64encode(self._context.dice.randbytes(18)).decode()

    def _change_account(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """ACCOUNT_FIELDS; tokens of a changed client end."""
        for name, attribute in ACCOUNT_FIELDS.items():
            if name in body:
                setattr(self._account, attribute, body[name])
        if "clientSecret" in body:
            self._account.tokens.clear()
        return {"username": self._account.username, "clientId": self._account.client_id}

    def _put_gate(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make the gate `id` lead to `url`, with `username` and `password`, and with `acknowledge` or without."""
        gate_id, url = body.get("id"), body.get("url")
        if not isinstance(gate_id, str) or not isinstance(url, str):
            raise AdminError("id, url: texts are needed")
        lead = Destination(url, username=str(body.get("username", "")), password=str(body.get("password", "")))
        gate = Gate(gate_id, destinations=[lead], acknowledge=body.get("acknowledge") is True)
        self._account.gates[gate_id] = gate
        return gates.gate_document(gate)

    def _take_inbound(self, body: Mapping[str, Any]) -> Awaitable[dict[str, Any]]:
        """`to`, `from`, `body`: a person texts one of our numbers. LINK keeps no consent."""
        to, sender = str(body.get("to", "")), str(body.get("from", ""))
        if to not in NUMBERS:
            raise AdminError(f"to: {to!r} is none of the account's numbers: {', '.join(NUMBERS)}")
        if not numbers.E164.fullmatch(sender):
            raise AdminError("from: a phone number in E.164 form is needed")
        now = self._clock.now()
        message = Message(
            self._id(), len(self._messages) + 1, "inbound", to, sender, str(body.get("body", "")), now, now, 0.0
        )
        self._messages.append(message)
        gate = self._account.gates[INBOUND_GATE]
        hooks = webhooks(gate, inbound_document(message), subject=message.id, label="inbound")
        return self._post_inbound(message, hooks)

    async def _post_inbound(self, message: Message, hooks: list[Webhook]) -> dict[str, Any]:
        outcomes = await asyncio.gather(*(self._callbacks.post_first(hook) for hook in hooks))
        said = {"status": outcomes[0].status, "error": outcomes[0].error} if outcomes else None
        return {"id": message.id, "webhook": said, "replies": []}


def _refused(status: int, code: int, text: str, retry_after: float | None = None) -> Reply:
    """Return an ErrorResponse. Its field names are not in the PDFs; these are those of a client generated from LINK's
    own model (https://github.com/deveel/deveel.lm.client)."""
    headers = {"WWW-Authenticate": 'Basic realm="LINK"'} if status == 401 else {}
    headers |= retry_after_header(retry_after)
    return json_reply(status, {"status": code, "description": text, "translatedDescription": text}, headers)
