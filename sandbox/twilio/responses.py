"""What each address does: form and query in, Twilio's bodies out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sandbox.clock import Clock
from sandbox.options import Context
from sandbox.twilio import documents
from sandbox.twilio.accounts import Account, AccountBook, Caller, Key, Rights
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.lifecycle import FINAL
from sandbox.twilio.listing import envelope, parse_request, read_page
from sandbox.twilio.models import Media, Message, MessageBook
from sandbox.twilio.outbox import Outbox
from sandbox.twilio.resources.description import FieldType, Schema
from sandbox.twilio.resources.forms import read_filters
from sandbox.twilio.resources.pages import frame_2010, number_pages, read_page_query
from sandbox.twilio.validation import Form, read_draft
from sandbox.wire import Reply, Request, json_reply, list_reply

NO_CONTENT = Reply(204)
ACCOUNT_STATUSES = ("active", "suspended", "closed")
NO_FILTERS: Schema = {}
ACCOUNT_FILTERS: Schema = {
    "FriendlyName": FieldType("string", False, ()),
    "Status": FieldType("string", False, ACCOUNT_STATUSES),
}
MEDIA_FILTERS: Schema = {f"DateCreated{sign}": FieldType("date-time", False, ()) for sign in ("", "<", ">")}


@dataclass(frozen=True, slots=True)
class Call:
    """One request with its caller, the account of its path, and what stands in the places of the path."""

    request: Request
    caller: Caller
    account: Account
    places: Mapping[str, str]

    @property
    def sid(self) -> str:
        return self.places["sid"]

    @property
    def child_sid(self) -> str:
        return self.places["child"]

    def form(self) -> Form:
        return Form(self.request.form_pairs())

    def not_found(self) -> TwilioError:
        return TwilioError(20404, path=self.request.path)


Responder = Callable[[Call], Reply]


class MessageResponses:
    """`/Messages` and what is below it."""

    def __init__(self, book: MessageBook, outbox: Outbox, clock: Clock) -> None:
        self._book = book
        self._outbox = outbox
        self._clock = clock

    def create(self, call: Call) -> Reply:
        draft = read_draft(call.form(), call.account, now=self._clock.now())
        message, until = self._outbox.accept(call.account, draft)
        reply = json_reply(201, documents.message_document(message, self._clock.now(), created=True))
        return reply if until is None else replace(reply, until=until)

    def list(self, call: Call) -> Reply:
        query, now = call.request.query_pairs(), self._clock.now()
        request = parse_request(call.account.sid, query)
        page = read_page(self._book, request, now=now)
        found = (documents.message_document(message, now) for message in page.messages)
        start = request.number * request.size
        frame = envelope(call.request.path, query, request=request, page=page)
        ends = {"start": start, "end": start + max(len(page.messages) - 1, 0)}
        return list_reply({**frame, **ends}, "messages", found)

    def fetch(self, call: Call) -> Reply:
        return json_reply(200, documents.message_document(self._find(call), self._clock.now()))

    def update(self, call: Call) -> Reply:
        """Cancel with `Status=canceled`, redact with an empty `Body`; nothing else can be changed."""
        message, form = self._find(call), call.form()
        status, body = form.get("Status"), form.get("Body")
        if status not in (None, "canceled"):
            raise TwilioError(20001, name="Status", value=status)
        if body is not None:
            # UNVERIFIED code; that only an empty Body is taken is documented.
            raise TwilioError(20001, name="Body", value=body)
        if status == "canceled":
            self._cancel(call, message)
        if form.has("Body"):
            message.body, message.redacted_at = "", self._clock.now()
        return self.fetch(call)

    def delete(self, call: Call) -> Reply:
        message = self._find(call)
        if message.current(self._clock.now())[0] not in FINAL | {"sent"}:
            raise TwilioError(20009)
        message.deleted_at = self._clock.now()
        return NO_CONTENT

    def give_feedback(self, call: Call) -> Reply:
        message = self._find(call)
        if not message.provide_feedback:
            raise call.not_found()
        outcome = call.form().get("Outcome") or "confirmed"
        if outcome not in ("confirmed", "unconfirmed"):
            raise TwilioError(20001, name="Outcome", value=outcome)
        return json_reply(200, documents.feedback_document(message, outcome, now=self._clock.now()))

    def list_media(self, call: Call) -> Reply:
        message = self._find(call)
        takes = read_filters(MEDIA_FILTERS, dict(call.request.query_pairs()))
        media = message.media if takes({"date_created": message.accepted_at}) else ()
        return _listed(call, "media_list", [documents.media_document(message, each) for each in media], MEDIA_FILTERS)

    def fetch_media(self, call: Call) -> Reply:
        message = self._find(call)
        return json_reply(200, documents.media_document(message, _find_media(call, message)))

    def delete_media(self, call: Call) -> Reply:
        message = self._find(call)
        gone = _find_media(call, message)
        message.media = tuple(media for media in message.media if media is not gone)
        return NO_CONTENT

    def _cancel(self, call: Call, message: Message) -> None:
        if message.current(self._clock.now())[0] != "scheduled":
            raise TwilioError(30409)
        self._outbox.cancel(call.account, message)

    def _find(self, call: Call) -> Message:
        message = self._book.find(call.account.sid, call.sid)
        if message is None:
            raise call.not_found()
        return message


class AccountResponses:
    """Accounts, balance, keys, and the auth tokens of the accounts API."""

    def __init__(self, book: AccountBook, context: Context, clock: Clock) -> None:
        self._book = book
        self._context = context
        self._clock = clock

    def list(self, call: Call) -> Reply:
        own = call.caller.account.sid
        reached = [account for account in self._book.accounts.values() if own in (account.sid, account.owner_sid)]
        takes = read_filters(ACCOUNT_FILTERS, dict(call.request.query_pairs()))
        found = [each for each in map(documents.account_document, reached) if takes(each)]
        return _listed(call, "accounts", found, ACCOUNT_FILTERS)

    def create(self, call: Call) -> Reply:
        """Make a sub-account of the caller's."""
        owner, now = call.caller.account, self._clock.now()
        account = Account(f"AC{self._hex()}", self._hex(), now, owner_sid=owner.sid, type=owner.type)
        account.friendly_name = call.form().get("FriendlyName") or f"SubAccount Created at {documents.iso8601(now)}"
        self._book.add([account])
        return json_reply(201, documents.account_document(account))

    def update(self, call: Call) -> Reply:
        """Rename, suspend or close; a closed account stays closed."""
        account, form = call.account, call.form()
        status = form.get("Status") or account.status
        if status not in ACCOUNT_STATUSES or (account.status == "closed" and status != "closed"):
            raise TwilioError(20001, name="Status", value=status)
        account.status, account.friendly_name = status, form.get("FriendlyName") or account.friendly_name
        return self.fetch(call)

    def fetch(self, call: Call) -> Reply:
        return json_reply(200, documents.account_document(call.account))

    def fetch_balance(self, call: Call) -> Reply:
        return json_reply(200, documents.balance_document(call.account))

    def list_keys(self, call: Call) -> Reply:
        """List API keys, which are the signing keys of the older name (UNVERIFIED that both lists show the same)."""
        found = [documents.key_document(key) for key in call.account.keys.values()]
        return _listed(call, "signing_keys" if "/SigningKeys" in call.request.path else "keys", found)

    def create_key(self, call: Call) -> Reply:
        name = call.form().get("FriendlyName") or ""
        key = Key(f"SK{self._hex()}", self._hex(), Rights.STANDARD, name, self._clock.now())
        call.account.keys[key.sid] = key
        return json_reply(201, documents.key_document(key, secret=True))

    def fetch_key(self, call: Call) -> Reply:
        return json_reply(200, documents.key_document(self._find_key(call)))

    def update_key(self, call: Call) -> Reply:
        key = self._find_key(call)
        key.friendly_name = call.form().get("FriendlyName") or key.friendly_name
        return json_reply(200, documents.key_document(key))

    def delete_key(self, call: Call) -> Reply:
        del call.account.keys[self._find_key(call).sid]
        return NO_CONTENT

    def create_secondary_token(self, call: Call) -> Reply:
        """Make a secondary token, valid beside the first; a second call replaces it."""
        call.account.secondary_token = self._hex()
        return json_reply(201, documents.token_document(call.account, self._clock.now(), promoted=False))

    def promote_token(self, call: Call) -> Reply:
        """Make the secondary token the only one, at once."""
        if call.account.secondary_token is None:
            raise call.not_found()
        call.account.token, call.account.secondary_token = call.account.secondary_token, None
        return json_reply(200, documents.token_document(call.account, self._clock.now(), promoted=True))

    def delete_secondary_token(self, call: Call) -> Reply:
        call.account.secondary_token = None
        return NO_CONTENT

    def _find_key(self, call: Call) -> Key:
        key = call.account.keys.get(call.sid)
        if key is None:
            raise call.not_found()
        return key

    def _hex(self) -> str:
        return f"{self._context.dice.getrandbits(128):032x}"


def _find_media(call: Call, message: Message) -> Media:
    media = next((media for media in message.media if media.sid == call.child_sid), None)
    if media is None:
        raise call.not_found()
    return media


def _listed(call: Call, key: str, found: Sequence[Mapping[str, Any]], filters: Schema = NO_FILTERS) -> Reply:
    """Return a page of a list that is short enough to be made whole each time."""
    query = read_page_query(call.request.path, call.request.query_pairs(), filters=list(filters))
    page = number_pages(found, query)
    return list_reply(frame_2010(query, page), key, page.items)
