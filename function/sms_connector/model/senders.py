"""The senders of a connection, and which of them a message to a recipient gets.

A request names one by its address or its friendly name. Without one it is the first sender whose `countries` hold the
recipient's, else the default. A recipient in a channel (`whatsapp:+15558675310`) gets a sender of that channel, or a
pool, which may have one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sms_connector.errors import ErrorKind, FieldProblem
from sms_connector.model.invalid_value import InvalidValueError, quote
from sms_connector.model.phone_number import NumberError, Sender, SenderKind, parse_sender

# Countries whose networks deliver no message with an alphanumeric sender as it is: those of which two vendors both say
# so. Twilio: https://help.twilio.com/articles/223133767-International-support-for-Alphanumeric-Sender-ID (as copied in
# 2017). Amazon: https://docs.aws.amazon.com/end-user-messaging/latest/userguide/nx-supported-countries.html for AR, BR,
# CA, CL, CN, CO, CR, DO, EC, GU, KY, NZ, SV, UY and VE, for the others its list of 2019
# (https://github.com/awsdocs/amazon-sns-developer-guide/blob/09c3153/doc_source/sns-supported-regions-countries.md).
# Left out: countries that take them once they are registered, and European ones, whose rules have changed since.
WITHOUT_ALPHANUMERIC = frozenset(
    "AR BR CA CL CN CO CR DO EC GT GU HN KR KY MX MY NI NZ PA PR SV US UY VE ZA".split()  # noqa: SIM905 - reads better
)


# So many characters of a number decide its region, where its country code is not shared or is North America's: +4915,
# +1416.
DECISIVE = 5


class Senders(msgspec.Struct, frozen=True):
    """A connection's senders in their order. `complete`: they were listed with their names, so that an alphanumeric one
    that is not among them is a misspelled name."""

    listed: tuple[Sender, ...] = ()
    complete: bool = False

    def find(self, text: str, *, country: str | None = None) -> Sender:
        """Return the sender that a request names, by friendly name or address. Raises NumberError."""
        name = fold_name(text)
        for sender in self.listed:
            if sender.name is not None and fold_name(sender.name) == name:
                return sender
        named = parse_sender(text, country=country)
        found = next((sender for sender in self.listed if sender.address == named.address), named)
        if found is named and self.complete and named.kind is SenderKind.ALPHANUMERIC:
            message = f"{quote(text)} is neither the name nor the address of a sender; GET /v1/senders lists both"
            raise NumberError(message, kind=ErrorKind.INVALID_SENDER)
        return found


def fold_name(name: str) -> str:
    """Return a friendly name as names are compared."""
    return " ".join(name.split()).casefold()


class SenderChoice:
    """Chooses a sender for each recipient of a request.

    `possible` are those that may be chosen; `only` is the address that every recipient gets, where that is certain
    before: whether it fits a recipient's channel, the provider knows. `by_name`: the request names its sender.
    """

    def __init__(self, senders: Sequence[Sender], *, by_name: bool = False) -> None:
        self.possible = tuple(sender for sender in senders if by_name or sender.default or sender.countries)
        self.only = self.possible[0].address if len(self.possible) == 1 else None
        self._by_name = by_name
        self._for_all = self._find_unrestricted()
        self._block_of = _import_block_of()
        self._chosen: dict[str, str | FieldProblem] = {}

    def _find_unrestricted(self) -> str | None:
        """Return the only sender, if it depends on no country."""
        if self.only is None or self.possible[0].kind is SenderKind.ALPHANUMERIC:
            return None
        return self.only if self._by_name or self.possible[0].default else None

    def choose(self, to: str) -> str:
        """Return the address of the sender for a recipient. Raises InvalidValueError (INVALID_SENDER).

        The choice is remembered by how numbers begin: a campaign asks for a million.
        """
        if self._for_all is not None:
            return self._for_all
        chosen = self._chosen.get(to[:DECISIVE]) or self._remember(to)
        if isinstance(chosen, FieldProblem):
            raise InvalidValueError(chosen)
        return chosen

    def _remember(self, to: str) -> str | FieldProblem:
        block = self._block_of(to)
        if not block:
            channel, _, number = to.rpartition(":")
            block = f"{channel}:{self._block_of(number)}"
        chosen = self._chosen.get(block)
        if chosen is None:
            chosen = self._chosen[block] = self._find(block)
        if len(block) < DECISIVE or block.startswith("+1"):
            self._chosen[to[:DECISIVE]] = chosen
        return chosen

    def _find(self, block: str) -> str | FieldProblem:
        from sms_connector.model.numbering_plan import region_of_block

        channel, _, number = block.rpartition(":")
        region = region_of_block(number)
        fitting = [sender for sender in self.possible if self.only is not None or _fits_channel(sender, channel)]
        for_region = [sender for sender in fitting if region in sender.countries]
        others = [sender for sender in fitting if sender not in for_region and (self._by_name or sender.default)]
        refused: list[Sender] = []
        for sender in (*for_region, *others):
            if channel or not is_refused(sender.kind, region):
                return sender.address
            refused.append(sender)
        return FieldProblem("", _explain(region, channel, refused), ErrorKind.INVALID_SENDER)


def _import_block_of() -> Callable[[str], str]:
    """Import it once for a choice: that takes longer than all the rest of one."""
    from sms_connector.model.numbering_plan import block_of

    return block_of


def is_refused(kind: SenderKind, country: str | None) -> bool:
    """Return whether a country's networks refuse senders of a kind."""
    return kind is SenderKind.ALPHANUMERIC and country in WITHOUT_ALPHANUMERIC


def channel_of(sender: Sender) -> str:
    """Return the channel of a sender; `""` is SMS."""
    return sender.address.partition(":")[0] if sender.kind is SenderKind.CHANNEL else ""


def _fits_channel(sender: Sender, channel: str) -> bool:
    return sender.kind is SenderKind.POOL or channel_of(sender) == channel


def _explain(region: str | None, channel: str, refused: Sequence[Sender]) -> str:
    """Return why no sender is left, after the recipient's field."""
    if refused:
        names = ", ".join(quote(sender.address) for sender in refused)
        return f"is in {region}, which takes no alphanumeric sender ({names}); name a number or short code as 'sender'"
    place = f"is in {region}, for" if region else "is in no country, for"
    of_channel = f" of channel {channel}" if channel else ""
    return f"{place} which the connection has no sender{of_channel} and no default one; name one as 'sender'"
