"""Telesign, put together: two addresses, an account, and the admin calls of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.segments import segment_count
from sandbox.service import AdminAction, AdminError, Service
from sandbox.telesign import callbacks as posts
from sandbox.telesign import numbers
from sandbox.telesign.authentication import Nonces, authenticate
from sandbox.telesign.callbacks import Signer, action_of, timestamp
from sandbox.telesign.codes import ERRORS, TelesignError, describe
from sandbox.telesign.messages import RECEIVED_PLAN, Book, Message, plan_for
from sandbox.telesign.validation import Draft, read_draft
from sandbox.wire import Reply, Request, json_reply, retry_after_header

PATH = "/v1/messaging"
REFERENCE_ID = re.compile(r"[0-9A-Fa-f]{32}")
# The ids of developer.telesign.com/enterprise/docs/authenticate-callbacks; the key is a dummy of the documents.
CUSTOMER_ID = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
API_KEY = "ABC12345yusumoN6BYsBVkh+yRJ5czgsnCehZaOYldPJdmFh6NeX8kunZ2zU1YWaUw/0wV6xfw=="
SENDER = "15551234567"
# "The URL for this request expired after 30 days": developer.telesign.com/enterprise/reference/sms.
KEPT_SECONDS = 30 * 86_400.0


@dataclass(slots=True)
class Account:
    """The customer. The first key signs callbacks, each is accepted. `refusal`: the code of every send; None accepts."""

    api_keys: list[str] = field(default_factory=lambda: [API_KEY])
    senders: set[str] = field(default_factory=lambda: {SENDER, "15017122661", "12345"})
    status_url: str | None = None
    inbound_url: str | None = None
    keyword_handling: bool = True
    refusal: int | None = None
    opt_outs: set[tuple[str, str]] = field(default_factory=set)
    nonces: Nonces = field(default_factory=Nonces)


# camelCase names an admin call may set, and the field each sets.
ACCOUNT_FIELDS = {
    "apiKeys": "api_keys",
    "statusUrl": "status_url",
    "inboundUrl": "inbound_url",
    "keywordHandling": "keyword_handling",
    "refusal": "refusal",
}


class Telesign(Service):
    """A `sandbox.service.Service`."""

    name = "telesign"

    def reset(self) -> None:
        self._account, self._book = Account(), Book()
        self._signer = Signer(CUSTOMER_ID, lambda: self._account.api_keys[0])

    def owns(self, path: str) -> bool:
        return path == PATH or path.startswith(f"{PATH}/")

    def handle(self, request: Request) -> Reply:
        try:
            self._authenticate(request)
            if request.path == PATH:
                return self._create(request)
            return self._fetch(request)
        except TelesignError as refusal:
            return self._refused(refusal, external_id=dict(request.form_pairs()).get("external_id"))

    def too_many_requests(self, retry_after: float) -> Reply:
        return self._refused(TelesignError(10019), retry_after=retry_after)

    def server_error(self, status: int, retry_after: float | None = None) -> Reply:
        return self._refused(TelesignError(10000), status=status, retry_after=retry_after)

    def admin_actions(self) -> Mapping[tuple[str, str], AdminAction]:
        return {
            ("GET", "telesign/account"): lambda _: self._shown(),
            ("POST", "telesign/account"): self._put_account,
            ("GET", "telesign/opt-outs"): lambda _: [
                {"sender": sender, "recipient": who} for sender, who in sorted(self._account.opt_outs)
            ],
            ("POST", "telesign/inbound"): self._inbound,
        }

    def messages(self, since: int = 0) -> Iterator[Mapping[str, Any]]:
        return self._book.documents(since, self._clock.now())

    def _authenticate(self, request: Request) -> None:
        account = self._account
        # Dates on requests are real ones, however far a test has moved the clock.
        real = self._clock.now() - self._clock.skipped
        authenticate(request, customer_id=CUSTOMER_ID, api_keys=account.api_keys, nonces=account.nonces, now=real)

    def _create(self, request: Request) -> Reply:
        if request.method != "POST":
            raise TelesignError(10018)
        draft = read_draft(request, self._account.senders)
        if self._account.refusal is not None:
            raise TelesignError(self._account.refusal, value=draft.to)
        message, until = self._accept(draft)
        # However fast the delivery is, the answer says that it is in progress.
        return replace(
            json_reply(200, self._document(message, message.accepted_at, code=message.plan[0][1])), until=until
        )

    def _fetch(self, request: Request) -> Reply:
        if request.method != "GET":
            raise TelesignError(10018)
        reference_id = request.path.removeprefix(f"{PATH}/")
        if not REFERENCE_ID.fullmatch(reference_id):
            raise TelesignError(11011)
        message = self._book.by_id.get(reference_id.upper())
        if message is None or message.direction == "inbound":
            raise TelesignError(10017)
        now = self._clock.now()
        if now - message.accepted_at > KEPT_SECONDS:
            raise TelesignError(10036)
        code, since = message.current(now)
        return json_reply(200, self._document(message, since, code=code))

    def _accept(self, draft: Draft) -> tuple[Message, asyncio.Future[Any] | None]:
        account, settings = self._account, self._context.settings
        url = draft.callback_url or account.status_url
        before_answer = url is not None and self._callbacks.settles_first()
        end = 510 if (draft.sender, draft.to) in account.opt_outs else numbers.end_of(draft.to)
        spread = settings.delivery_spread_seconds
        span = settings.delivery_seconds + (self._context.dice.uniform(0, spread) if spread else 0.0)
        message = Message(
            sequence=len(self._book.messages) + 1,
            reference_id=self._reference_id(),
            direction="outbound",
            to=draft.to,
            sender=draft.sender,
            body=draft.body,
            accepted_at=self._clock.now(),
            span=0.0 if before_answer else span * (numbers.SLOWNESS if draft.to == numbers.SLOW else 1.0),
            plan=plan_for(end),
            parts=segment_count(draft.body),
            external_id=draft.external_id,
            callback_url=url,
        )
        self._book.add(message)
        return message, self._call_back(message, before_answer=before_answer)

    def _call_back(self, message: Message, *, before_answer: bool) -> asyncio.Future[Any] | None:
        """Report the final status, as …/docs/transaction-callback-service has it, or those that the settings name."""
        if message.callback_url is None:
            return None
        wanted = self._callbacks.behaviour.statuses
        due = [(message.accepted_at + part * message.span, code) for part, code in message.plan]
        events = [
            (
                at,
                self._signer.webhook(
                    subject=message.reference_id,
                    label=str(code),
                    url=message.callback_url,
                    document=posts.report(message, code, at=at),
                ),
            )
            for at, code in due
            if (code not in numbers.NOT_FINAL if wanted is None else str(code) in wanted)
        ]
        if before_answer:
            return self._callbacks.post_now([webhook for _, webhook in events])
        self._callbacks.plan(events)
        return None

    async def _take(self, to: str, sender: str, body: str) -> dict[str, Any]:
        account = self._account
        message = Message(
            sequence=len(self._book.messages) + 1,
            reference_id=self._reference_id(),
            direction="inbound",
            to=to,
            sender=sender,
            body=body,
            accepted_at=self._clock.now(),
            span=0.0,
            plan=RECEIVED_PLAN,
            parts=segment_count(body),
        )
        self._book.add(message)
        action = action_of(body) if account.keyword_handling else None
        if action == "stop":
            account.opt_outs.add((to, sender))
        if action == "start":
            account.opt_outs.discard((to, sender))
        answer: dict[str, Any] = {"sid": message.reference_id, "action": action, "webhook": None, "replies": []}
        if account.inbound_url is None:
            return answer
        document = posts.inbound(message, action)
        outcome = await self._callbacks.post(
            self._signer.webhook(
                subject=message.reference_id, label="inbound", url=account.inbound_url, document=document
            )
        )
        return answer | {"webhook": {"status": outcome.status, "error": outcome.error}}

    def _inbound(self, body: Mapping[str, Any]) -> Awaitable[dict[str, Any]]:
        """`from`, `to` (a number of the account), `body`."""
        to, sender = str(body.get("to", "")).lstrip("+"), str(body.get("from", "")).lstrip("+")
        if to not in self._account.senders:
            raise AdminError(f"to: {to!r} is none of the account's numbers: {', '.join(sorted(self._account.senders))}")
        if not sender.isdigit():
            raise AdminError("from: a phone number in E.164 form is needed")
        return self._take(to, sender, str(body.get("body", "")))

    def _put_account(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """ACCOUNT_FIELDS; `senders` are added."""
        for name, attribute in ACCOUNT_FIELDS.items():
            if name in body:
                setattr(self._account, attribute, body[name])
        self._account.senders.update(str(sender).lstrip("+") for sender in body.get("senders", []))
        return self._shown()

    def _shown(self) -> dict[str, Any]:
        account = self._account
        shown = {name: getattr(account, attribute) for name, attribute in ACCOUNT_FIELDS.items() if name != "apiKeys"}
        return {"customerId": CUSTOMER_ID, **shown, "senders": sorted(account.senders)}

    def _document(self, message: Message, since: float, *, code: int) -> dict[str, Any]:
        shown = {
            "reference_id": message.reference_id,
            "status": {"code": code, "description": describe(code), "updated_on": timestamp(since)},
        }
        return shown if message.external_id is None else shown | {"external_id": message.external_id}

    def _refused(
        self,
        error: TelesignError,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        external_id: str | None = None,
    ) -> Reply:
        document: dict[str, Any] = {
            "reference_id": self._reference_id(),
            "status": {
                "code": error.code,
                "description": describe(error.code, error.value),
                "updated_on": timestamp(self._clock.now()),
            },
        }
        if external_id is not None:
            document["external_id"] = external_id
        if error.signature_string is not None:
            document["signature_string"] = error.signature_string
        # Whole seconds as in HTTP, rounded up so that waiting them is enough.
        headers = retry_after_header(retry_after)
        return json_reply(status or ERRORS[error.code][0], document, headers)

    def _reference_id(self) -> str:
        return f"{self._context.dice.getrandbits(128):032X}"
