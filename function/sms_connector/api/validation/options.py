"""Read the options that hold for all records of a body, checked against the connection and what the provider can do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from sms_connector.api.schemas.base import read_time
from sms_connector.api.schemas.campaign_body import CampaignBody
from sms_connector.api.schemas.send_body import MAX_TEXT, SendBody, TrackingBody
from sms_connector.api.services import Services
from sms_connector.api.validation.drafts import RecipientRules, read_country
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.invalid_value import InvalidValueError, quote
from sms_connector.model.phone_number import Sender, SenderKind, parse_sender, region_of
from sms_connector.model.send_request import OnUnknown, SendOptions, Tracking
from sms_connector.provider import Capabilities

# The connector's requests end after an hour (infra/components/functions.py); sending takes its part of that.
MAX_WAIT_SECONDS = 3400


class OptionRules(msgspec.Struct, frozen=True):
    """The limits of a request's options, and their defaults. `now` is epoch seconds."""

    capabilities: Capabilities
    sender: Sender | None
    tracking: Tracking
    now: float
    default_country: str | None = None
    http_to_loopback: bool = False
    callback_url: str | None = None
    has_queue: bool = True


def read_options(body: SendBody | CampaignBody, rules: OptionRules) -> SendOptions:
    """Raises InvalidRequest naming every option that is wrong or that the provider can't do."""
    problems: list[FieldProblem] = []
    sender = _read_sender(body, rules, problems)
    problems += _check_media(body, rules.capabilities)
    problems += _check_validity(body, rules.capabilities)
    send_at = _read_send_at(body, rules, problems)
    if send_at and rules.capabilities.schedule_needs_pool and sender and sender.kind is not SenderKind.POOL:
        problems.append(
            FieldProblem("sendAt", "needs a messaging service as 'sender' with this provider", ErrorKind.UNSUPPORTED)
        )
    problems += _check_callback_url(body, rules)
    tracking = read_tracking(body.tracking, rules.tracking)
    problems += _check_wait(tracking)
    if problems or sender is None:
        raise InvalidRequest(*problems)
    return SendOptions(
        sender=sender.address,
        tracking=tracking,
        on_unknown=OnUnknown(body.on_unknown),
        media_urls=tuple(body.media_urls),
        validity_seconds=None if body.validity_seconds is UNSET else body.validity_seconds,
        send_at=send_at,
        callback_url=rules.callback_url if body.callback_url is UNSET else body.callback_url,
    )


def read_tracking(body: TrackingBody, default: Tracking) -> Tracking:
    interval = default.interval if body.retry_interval_millis is UNSET else body.retry_interval_millis / 1000
    attempts = default.attempts if body.retry_attempts is UNSET else body.retry_attempts
    return Tracking(interval, attempts, body.wait)


def _check_wait(tracking: Tracking) -> Iterator[FieldProblem]:
    seconds = tracking.interval * tracking.attempts
    if tracking.wait and seconds > MAX_WAIT_SECONDS:
        message = (
            f"would hold the request for {seconds:.0f} s (retryIntervalMillis x retryAttempts), and a request may wait "
            f"{MAX_WAIT_SECONDS} s; lower one of them, or leave 'wait' out and look the message up later"
        )
        yield FieldProblem("tracking.wait", message)


def _read_sender(body: SendBody | CampaignBody, rules: OptionRules, problems: list[FieldProblem]) -> Sender | None:
    if body.sender is UNSET:
        if rules.sender is None:
            message = "is missing, and the connection has no default one: name a sender, or set SMS_SENDER"
            problems.append(FieldProblem("sender", message, ErrorKind.INVALID_SENDER))
        return rules.sender
    try:
        sender = parse_sender(body.sender, country=_read_country(body, rules))
    except InvalidValueError as error:
        problems += [replace(problem, field="sender") for problem in error.problems]
        return None
    problem_text = _find_sender_problem(sender, rules.capabilities)
    if problem_text:
        problems.append(FieldProblem("sender", problem_text, ErrorKind.INVALID_SENDER))
    return sender


def _read_country(body: SendBody | CampaignBody, rules: OptionRules) -> str | None:
    """Read the country; its problems are reported with the recipients."""
    with suppress(InvalidRequest):
        return read_country(body.default_country, rules.default_country)
    return None


def _find_sender_problem(sender: Sender, capabilities: Capabilities) -> str | None:
    if capabilities.sender_kinds and sender.kind not in capabilities.sender_kinds:
        known = ", ".join(sorted(capabilities.sender_kinds))
        return f"{quote(sender.address)} is a {sender.kind}, which the provider does not have; it has: {known}"
    channel = sender.address.partition(":")[0]
    if sender.kind is SenderKind.CHANNEL and channel not in capabilities.channels:
        known = ", ".join(sorted(capabilities.channels)) or "none"
        return f"the provider has no channel {quote(channel)}; it has: {known}"
    return None


def _check_media(body: SendBody | CampaignBody, capabilities: Capabilities) -> Iterator[FieldProblem]:
    limit = capabilities.media_limit
    if len(body.media_urls) > limit:
        message = (
            f"at most {limit} are allowed with this provider" if limit else "the provider sends no media; leave it out"
        )
        yield FieldProblem("mediaUrls", message, ErrorKind.UNSUPPORTED)
    for index, url in enumerate(body.media_urls):
        yield from _check_url(f"mediaUrls[{index}]", url)


def _check_callback_url(body: SendBody | CampaignBody, rules: OptionRules) -> Iterator[FieldProblem]:
    if body.callback_url is UNSET:
        return
    yield from _check_url("callbackUrl", body.callback_url, https_only=True, rules=rules)
    if not rules.has_queue:
        message = "needs a queue to post from, and the connection has none: set SMS_QUEUE, or leave it out"
        yield FieldProblem("callbackUrl", message, ErrorKind.UNSUPPORTED)


def _check_validity(body: SendBody | CampaignBody, capabilities: Capabilities) -> Iterator[FieldProblem]:
    most = capabilities.max_validity_seconds
    if body.validity_seconds is UNSET or body.validity_seconds <= most:
        return
    message = (
        f"must be at most {most} with this provider" if most else "the provider has no validity period; leave it out"
    )
    yield FieldProblem("validitySeconds", message, ErrorKind.INVALID_REQUEST if most else ErrorKind.UNSUPPORTED)


def _read_send_at(body: SendBody | CampaignBody, rules: OptionRules, problems: list[FieldProblem]) -> datetime | None:
    if body.send_at is UNSET:
        return None
    window = rules.capabilities.schedule_window
    if window is None:
        problems.append(
            FieldProblem("sendAt", "the provider can't schedule messages; leave it out", ErrorKind.UNSUPPORTED)
        )
        return None
    try:
        moment = read_time(body.send_at)
    except ValueError as error:
        problems.append(FieldProblem("sendAt", f"{quote(body.send_at)} {error}"))
        return None
    ahead = moment.timestamp() - rules.now
    if not window[0] <= ahead <= window[1]:
        message = f"must be {_say_duration(window[0])} to {_say_duration(window[1])} from now with this provider"
        problems.append(FieldProblem("sendAt", message))
        return None
    return moment.astimezone(UTC)


def _say_duration(seconds: int) -> str:
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"


def _check_url(
    field: str, url: str, *, https_only: bool = False, rules: OptionRules | None = None
) -> Iterator[FieldProblem]:
    """Explain a wrong address without repeating it: it may hold a token."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        yield FieldProblem(field, "is not an address; check its host, brackets and port")
        return
    plain_allowed = not https_only or (rules is not None and rules.http_to_loopback and _is_loopback(parts))
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        yield FieldProblem(field, "has characters that an address can't have; percent-encode them")
    elif parts.scheme not in ("http", "https") or not parts.hostname:
        yield FieldProblem(field, "must be an absolute https:// address")
    elif parts.scheme == "http" and not plain_allowed:
        yield FieldProblem(field, "must be an https:// address: results would travel in the clear")
    elif parts.username is not None or parts.password is not None:
        yield FieldProblem(field, "must hold no user name or password")


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def recipient_rules(services: Services, default_country: str = "", *, has_media: bool = False) -> RecipientRules:
    """Return how recipients are read: national forms by the request's `defaultCountry`, else the connection's.

    Without either, a national number is probably from where the default sender is, which helps its refusal only.
    Raises InvalidRequest.
    """
    sender, capabilities = services.profile.sender, services.capabilities
    return RecipientRules(
        channels=capabilities.channels,
        region=region_of(sender.address) if sender else None,
        country=read_country(default_country, services.profile.default_country),
        text_limit=min(MAX_TEXT, capabilities.text_limit),
        basic_plane_only=capabilities.basic_plane_only,
        needs_text=not has_media,
    )


def option_rules(services: Services) -> OptionRules:
    profile = services.profile
    return OptionRules(
        capabilities=services.capabilities,
        sender=profile.sender,
        tracking=Tracking(profile.retry_interval_millis / 1000, profile.retry_attempts),
        now=services.now(),
        default_country=profile.default_country,
        http_to_loopback=not profile.on_platform,
        callback_url=profile.callback_url,
        has_queue=profile.has_queue,
    )
