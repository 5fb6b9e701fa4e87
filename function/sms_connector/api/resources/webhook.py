"""The webhook function: the one public door. It looks at an address's token and a body's size, puts the request into
the queue as it came, and answers; whether it is the provider's is checked behind the queue (`callbacks.event_handler`).

It has no ledger and no credentials of the provider's: all it can do to anybody is to make the queue longer, and for
that one has to know the token.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import msgspec

from sms_connector.api.body import read_at_most
from sms_connector.api.handler import HEALTH, Handle, RequestContext, RequestHandler
from sms_connector.api.problems import MethodNotAllowed
from sms_connector.api.routing import Answer
from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.callbacks.callback_event import CallbackEvent
from sms_connector.errors import InvalidRequest, NotFound, TooLarge
from sms_connector.model.consent_words import classify
from sms_connector.model.inbound_message import Keyword
from sms_connector.model.phone_number import kind_of
from sms_connector.ports import MAX_TASK_BYTES, TaskQueue
from sms_connector.provider import CallbackAnswer, CallbackKind, Provider, RawCallback, is_wanted
from sms_connector.structured_log import StructuredLog

# What a task holds of a body, however much longer that is as JSON.
BODY_BYTES = 32 * 1024
_HEALTHY = b'{"status":"ok"}'
_WEBHOOK_PATH = re.compile(
    r"/webhooks/(?P<provider>[a-z-]{1,40})/(?P<kind>status|inbound)/(?P<token>[0-9A-Za-z_-]{1,100})"
)


class WebhookPath(msgspec.Struct, frozen=True):
    """The parts of a path, before its token is checked."""

    kind: CallbackKind
    token: str


class WebhookFunction(msgspec.Struct, frozen=True):
    """`POST /webhooks/{provider}/{status|inbound}/{token}`, the provider's handshakes at the same addresses, `GET
    /health`.

    `now` is epoch seconds. The provider needs no secrets here. `help_reply` is the reply to HELP, where the provider
    doesn't answer by itself; None: no reply. The keywords are the provider's, and the connection's own `stop_words`.
    """

    address: CallbackAddress
    provider: Provider
    queue: TaskQueue
    log: StructuredLog
    now: Callable[[], float]
    help_reply: str | None = None
    stop_words: tuple[str, ...] = ()

    def build(self) -> Handle:
        """Build the public HTTP function."""
        return RequestHandler(self.log, self.respond).handle

    def respond(self, context: RequestContext) -> Answer:
        request = context.request
        if request.path == HEALTH:
            context.route = HEALTH
            return Answer(_HEALTHY)
        target = self._match_path(context)
        callback = self._read_callback(context, target)
        hello = self.provider.handshake(callback)
        if hello is not None:
            return _write(hello)
        if callback.method != "POST":
            raise MethodNotAllowed(("POST",))
        self._enqueue(target.kind, callback, context.log)
        return self._answer(target.kind, callback)

    def _match_path(self, context: RequestContext) -> WebhookPath:
        """Raises NotFound for anything but an address of ours."""
        match = _WEBHOOK_PATH.fullmatch(_without_prefix(context.request.path, self.address.public_url))
        if match is None or match["provider"] != self.provider.name:
            raise _not_found()
        context.route = f"/webhooks/{match['provider']}/{match['kind']}/{{token}}"
        return WebhookPath("status" if match["kind"] == "status" else "inbound", match["token"])

    def _read_callback(self, context: RequestContext, target: WebhookPath) -> RawCallback:
        """Return the request as the provider signed it: at the public address, with the query as it came.

        Raises NotFound for a wrong token, as for a wrong address, so that it reveals nothing. Raises TooLarge.
        """
        request, provider = context.request, self.provider
        limit = provider.capabilities.callback_bytes
        body = read_at_most(request, limit)
        if not self.address.accepts_token(target.kind, target.token):
            _count_rejected(context.log, target.kind, "token")
            raise _not_found()
        if body is None:
            _count_rejected(context.log, target.kind, "size")
            raise TooLarge(f"a callback has at most {limit:,} bytes")
        url = f"{self.address.public_url}/webhooks/{provider.name}/{target.kind}/{target.token}"
        query = request.query_string.decode("utf-8", "replace")
        return RawCallback(
            method=request.method,
            url=f"{url}?{query}" if query else url,
            headers={n.lower(): v for n, v in request.headers.items() if is_wanted(n, provider.callback_headers)},
            body=body,
            received_at=datetime.fromtimestamp(self.now(), UTC),
        )

    def _enqueue(self, kind: CallbackKind, callback: RawCallback, log: StructuredLog) -> None:
        """Store it durably: the provider gets its answer only after that. One that is stored in part and refused comes
        again, and what was stored already changes nothing then."""
        parts = self.provider.split_callback(callback, BODY_BYTES)
        tasks = [CallbackEvent(kind, part).to_task() for part in parts]
        if any(len(msgspec.json.encode(task.payload)) > MAX_TASK_BYTES for task in tasks):
            _count_rejected(log, kind, "size")
            raise TooLarge("the callback is too large with its headers and its address")
        self.queue.enqueue(tasks)

    def _answer(self, kind: CallbackKind, callback: RawCallback) -> Answer:
        if kind == "status":
            return _write(self.provider.answer_status())
        return _write(self.provider.answer_inbound(self._find_reply(callback)))

    def _find_reply(self, callback: RawCallback) -> str | None:
        """Return the reply to HELP, unless the provider has answered it itself."""
        if self.help_reply is None:
            return None
        try:
            messages = self.provider.read_inbound(callback)
        except InvalidRequest:
            return None
        asks = any(
            message.keyword is None
            and classify(
                message.text,
                self.provider.consent_words,
                our_kind=kind_of(message.to),
                extra_stop=self.stop_words,
            )
            is Keyword.HELP
            for message in messages
        )
        return self.help_reply if asks else None


def _without_prefix(path: str, public_url: str) -> str:
    """Take a public address's own path off, where what stands in front of us has left it there.

    `path` comes decoded from the framework, the public address is percent-encoded as it was configured and is signed.
    """
    return path.removeprefix(unquote(urlsplit(public_url).path, errors="replace"))


def _write(answer: CallbackAnswer) -> Answer:
    return Answer(answer.body, answer.status, {"Content-Type": answer.content_type, **answer.headers})


def _count_rejected(log: StructuredLog, kind: CallbackKind, why: str) -> None:
    """Nothing of its content: it may be anybody's."""
    log.warning("callback_rejected", callback=kind, why=why)


def _not_found() -> NotFound:
    return NotFound("there is nothing at this path")
