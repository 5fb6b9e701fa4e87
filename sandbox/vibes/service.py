"""Vibes Connect, put together: addresses, credentials, state, and the admin calls of its own."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.callbacks import PlainPolicy, Webhook
from sandbox.credentials import basic_header, is_one_of, read_basic
from sandbox.service import AdminAction, AdminError, Service
from sandbox.vibes import messages, numbers, sending
from sandbox.vibes.codes import Failure
from sandbox.vibes.messages import XML, XML_TYPE, Message
from sandbox.vibes.numbers import Outcome
from sandbox.vibes.sending import Draft
from sandbox.wire import Reply, Request, retry_after_header

ROOT = "/MessageApi/"
MESSAGES, BUNDLES = "/MessageApi/mt/messages", "/MessageApi/mt/messageBundles"
USERNAME, PASSWORD = "demoUser", "demoPass"
# "A relatively short timeout process of two seconds"; "every five minutes, up to a maximum of five retries".
# https://developer-aggregation.vibes.com/reference/receiving-messages
POLICY = PlainPolicy(read_seconds=2.0, total_seconds=3_600.0, retries=5)
PAUSES = (300.0,)
ACCOUNT_FIELDS = {
    "username": "username",
    "password": "password",
    "receiptUrl": "receipt_url",
    "inboundUrl": "inbound_url",
    "inboundUsername": "inbound_username",
    "inboundPassword": "inbound_password",
}


@dataclass(slots=True)
class Account:
    """`receipt_url`: where receipts go whose message names no URL. Credentials are sent with inbound messages only."""

    username: str = USERNAME
    password: str = PASSWORD
    receipt_url: str | None = None
    inbound_url: str | None = None
    inbound_username: str = ""
    inbound_password: str = ""


class Vibes(Service):
    """A `sandbox.service.Service`."""

    name = "vibes"

    def reset(self) -> None:
        self._account = Account()
        self._messages: list[Message] = []
        self._by_id: dict[str, Message] = {}

    def owns(self, path: str) -> bool:
        return path.startswith(ROOT)

    def handle(self, request: Request) -> Reply:
        user, password = read_basic(request.headers.get("Authorization", ""))
        if not (is_one_of(user, [self._account.username]) and is_one_of(password, [self._account.password])):
            return Reply(401, headers={"WWW-Authenticate": 'Basic realm="Vibes"'})
        match request.method, request.path:
            case "POST", "/MessageApi/mt/messages":
                return self._submit(request)
            case "POST", "/MessageApi/mt/messageBundles":
                return self._submit_bundle(request)
            case "GET", path if path.startswith(f"{MESSAGES}/"):
                return self._look_up(path.removeprefix(f"{MESSAGES}/"))
        return Reply(404)

    def too_many_requests(self, retry_after: float) -> Reply:
        # Not documented for HTTP; with the header that HTTP has for it.
        return Reply(429, headers=retry_after_header(retry_after))

    def server_error(self, status: int, retry_after: float | None = None) -> Reply:
        headers = retry_after_header(retry_after)
        return Reply(
            status, b"<html><body>Internal Server Error</body></html>", {"Content-Type": "text/html", **headers}
        )

    def admin_actions(self) -> Mapping[tuple[str, str], AdminAction]:
        return {("POST", "vibes/account"): self._change_account, ("POST", "vibes/inbound"): self._take_inbound}

    def messages(self, since: int = 0) -> Iterator[Mapping[str, Any]]:
        now = self._clock.now()
        return (message.witness(now) for message in self._messages[since:])

    # --- the API -----------------------------------------------------------------------------------------------------

    def _submit(self, request: Request) -> Reply:
        if not _is_xml(request):
            return Reply(415)
        reference = None
        try:
            root = sending.parse(request.body, "mtMessage")
            reference = root.get("submitterMessageId")
            draft = sending.read_message(root)
        except Failure as failure:
            return _xml(messages.failure_xml("mtMessageRsp", failure.text, failure.code, reference))
        message, early = self._accept(draft)
        answer = messages.accepted_xml(message, split=root.get("splitLongMessage") == "true")
        return self._after(early, _xml(answer))

    def _submit_bundle(self, request: Request) -> Reply:
        """The answer names the bundle only; the messages' ids come with their receipts."""
        if not _is_xml(request):
            return Reply(415)
        try:
            if len(request.body) > sending.MAX_BUNDLE_BYTES:
                raise Failure("Requests over 500KB will be rejected.")
            root = sending.parse(request.body, "mtMessageBundle")
            drafts = sending.read_bundle(root)
        except Failure as failure:
            return _xml(messages.failure_xml("mtMessageBundleRsp", failure.text, failure.code, None))
        bundle, early = self._id(), []
        for draft in drafts:
            early += self._accept(draft, bundle=bundle)[1]
        submitter = root.get("submitterBundleId") or request.headers.get("X-VibesAPI-BundleId")
        return self._after(early, _xml(messages.bundle_xml(bundle, submitter)))

    def _look_up(self, path: str) -> Reply:
        message_id, _, rest = path.partition("/")
        message = self._by_id.get(message_id)
        if message is None or rest not in ("", "responses"):
            # What an unknown id is answered with is UNVERIFIED.
            return Reply(404)
        if not rest:
            return _xml(messages.message_xml(message))
        found = "".join(messages.receipt_xml(message, each) for each in message.received(self._clock.now()))
        return _xml(f"<mtMessageResponses>{found}</mtMessageResponses>")

    # --- messages ----------------------------------------------------------------------------------------------------

    def _accept(self, draft: Draft, *, bundle: str | None = None) -> tuple[Message, list[Webhook]]:
        """Return the message, and its receipts where they arrive before the answer."""
        url = draft.callback_url or self._account.receipt_url
        outcome = numbers.outcome_for(draft.to)
        if draft.refused is not None:
            outcome = Outcome(numbers.SYSTEM, draft.refused)
        before_answer = bool(url and draft.receipts) and self._callbacks.settles_first()
        message = self._add(
            Message(
                ids=tuple(self._id() for _ in range(draft.parts)),
                sequence=len(self._messages) + 1,
                direction="outbound",
                to=draft.to,
                sender=draft.sender,
                body=draft.body,
                accepted_at=self._clock.now(),
                span=0.0 if before_answer else self._span() * outcome.pace,
                reference=draft.reference,
                receipts=messages.receipts_for(outcome, draft.parts),
                bundle=bundle,
            )
        )
        events = self._receipts(message, draft, url) if url else []
        if before_answer:
            return message, [each for _, each in events]
        self._callbacks.plan(events)
        return message, []

    def _add(self, message: Message) -> Message:
        self._messages.append(message)
        self._by_id.update(dict.fromkeys(message.ids, message))
        return message

    def _receipts(self, message: Message, draft: Draft, url: str) -> list[tuple[float, Webhook]]:
        wanted = self._callbacks.behaviour.statuses
        return [
            (
                message.due(each),
                _webhook(url, messages.receipt_xml(message, each), subject=message.ids[0], label=each.stage),
            )
            for each in message.receipts
            if draft.receipts == sending.ALL or (draft.receipts and each.code is not None)
            if wanted is None or each.stage in wanted
        ]

    def _after(self, early: list[Webhook], reply: Reply) -> Reply:
        if not early:
            return reply
        return Reply(reply.status, reply.body, reply.headers, until=self._callbacks.post_now(early))

    def _span(self) -> float:
        settings = self._context.settings
        spread = settings.delivery_spread_seconds
        return settings.delivery_seconds + (self._context.dice.uniform(0, spread) if spread else 0.0)

    def _id(self) -> str:
        return str(uuid.UUID(int=self._context.dice.getrandbits(128), version=4))

    # --- admin calls -------------------------------------------------------------------------------------------------

    def _change_account(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """ACCOUNT_FIELDS: what an account manager sets up."""
        for name, attribute in ACCOUNT_FIELDS.items():
            if name in body:
                setattr(self._account, attribute, body[name])
        return {"username": self._account.username, "inboundUrl": self._account.inbound_url}

    def _take_inbound(self, body: Mapping[str, Any]) -> Awaitable[dict[str, Any]]:
        """`to`, `from`, `body`: a person texts one of our numbers. Vibes keeps no consent."""
        to, sender = str(body.get("to", "")), str(body.get("from", ""))
        if to not in sending.SOURCES:
            raise AdminError(f"to: {to!r} is none of the account's numbers: {', '.join(sending.SOURCES)}")
        if not numbers.E164.fullmatch(sender):
            raise AdminError("from: a phone number in E.164 form is needed")
        text, now = str(body.get("body", "")), self._clock.now()
        message = Message((self._id(),), len(self._messages) + 1, "inbound", to, sender, text, now, 0.0)
        return self._post_inbound(self._add(message))

    async def _post_inbound(self, message: Message) -> dict[str, Any]:
        account, said = self._account, None
        if account.inbound_url is not None:
            user, password = account.inbound_username, account.inbound_password
            hook = _webhook(
                account.inbound_url,
                messages.inbound_xml(message),
                subject=message.ids[0],
                label="inbound",
                authorization=basic_header(user, password) if user else "",
            )
            outcome = await self._callbacks.post_first(hook)
            said = {"status": outcome.status, "error": outcome.error}
        return {"id": message.ids[0], "webhook": said, "replies": []}


def _webhook(url: str, xml: str, *, subject: str, label: str, authorization: str = "") -> Webhook:
    headers = {"Content-Type": XML_TYPE, **({"Authorization": authorization} if authorization else {})}
    return Webhook(subject, label, "POST", url, (), lambda: headers, POLICY, body=(XML + xml).encode(), pauses=PAUSES)


def _is_xml(request: Request) -> bool:
    """`text/xml` is documented; Vibes' own Ruby library sends `application/xml`. Anything else: UNVERIFIED."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip() in ("text/xml", "application/xml")


def _xml(text: str) -> Reply:
    return Reply(200, (XML + text).encode(), {"Content-Type": XML_TYPE})
