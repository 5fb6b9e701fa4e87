"""Read the options that hold for all records of a body, checked against the connection and what the provider can do."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from msgspec import UNSET

from sms_connector.api.problem_list import Problems, reading
from sms_connector.api.schemas.base import read_time, value_or
from sms_connector.api.schemas.request_body import MAX_TEXT, RequestBody, TrackingBody
from sms_connector.api.services import ConnectionProfile, Services
from sms_connector.api.validation.drafts import RecipientRules, read_country
from sms_connector.errors import ErrorKind, FieldProblem, InvalidRequest
from sms_connector.model.invalid_value import quote
from sms_connector.model.phone_number import NumberError, SenderKind, region_of
from sms_connector.model.send_request import OnUnknown, SendOptions, Tracking
from sms_connector.model.senders import SenderChoice
from sms_connector.provider import Capabilities

# The connector's requests end after an hour (infra/components/functions.py); sending takes its part of that.
MAX_WAIT_SECONDS = 3400


def read_options(
    body: RequestBody, services: Services, problems: Problems, *, template: str | None = None
) -> tuple[SendOptions, SenderChoice | None]:
    """Return the options and the choice of senders. Every option that is wrong or that the provider can't do is added
    to the `problems`."""
    profile, capabilities, senders = services.profile, services.capabilities, None
    with problems.collect():
        senders = _require_senders(body, services)
    _check_media(body, capabilities, problems)
    wanted, longest = value_or(body.validity_seconds, 0), capabilities.max_validity_seconds
    if wanted and not longest:
        problems.add("validitySeconds", "the provider has no validity period; leave it out", ErrorKind.UNSUPPORTED)
    elif wanted > longest:
        problems.add("validitySeconds", f"must be at most {longest} with this provider")
    send_at = _read_send_at(body, services, problems)
    possible = senders.possible if senders else ()
    if send_at and capabilities.schedule_needs_pool and any(each.kind is not SenderKind.POOL for each in possible):
        problems.add("sendAt", "needs a messaging service as 'sender' with this provider", ErrorKind.UNSUPPORTED)
    _check_callback_url(body, profile, problems)
    options = SendOptions(
        sender=senders.only if senders else None,
        tracking=_read_tracking(body.tracking, profile, problems),
        on_unknown=OnUnknown(body.on_unknown),
        media_urls=tuple(body.media_urls),
        validity_seconds=value_or(body.validity_seconds, None),
        send_at=send_at,
        callback_url=value_or(body.callback_url, profile.callback_url),
        template=template,
    )
    return options, senders


def _read_tracking(body: TrackingBody, profile: ConnectionProfile, problems: Problems) -> Tracking:
    millis = value_or(body.retry_interval_millis, profile.retry_interval_millis)
    tracking = Tracking(millis / 1000, value_or(body.retry_attempts, profile.retry_attempts), body.wait)
    seconds = tracking.interval * tracking.attempts
    if tracking.wait and seconds > MAX_WAIT_SECONDS:
        problems.add(
            "tracking.wait",
            f"would hold the request for {seconds:.0f} s (retryIntervalMillis x retryAttempts), and a request may wait "
            f"{MAX_WAIT_SECONDS} s; lower one of them, or leave 'wait' out and look the message up later",
        )
    return tracking


def find_senders(body: RequestBody, services: Services) -> SenderChoice | None:
    """Return the choice of senders; None where neither the request names one nor the connection has any. Raises
    InvalidRequest."""
    senders, country = services.profile.senders, None
    if body.sender is UNSET:
        return SenderChoice(senders.listed) if senders.listed else None
    with suppress(InvalidRequest):  # what is wrong with the country is reported with the recipients
        country = read_country(body.default_country, services.profile.default_country)
    with reading("sender"):
        named = senders.find(body.sender, country=country)
        if problem_text := services.capabilities.sender_problem(named):
            raise NumberError(problem_text, kind=ErrorKind.INVALID_SENDER)
    return SenderChoice([named], by_name=True)


def _require_senders(body: RequestBody, services: Services) -> SenderChoice:
    """Return the choice of senders. Raises InvalidRequest, also without any."""
    senders = find_senders(body, services)
    if senders is None:
        message = "is missing, and the connection has no default one: name a sender, or set SMS_SENDER"
        raise InvalidRequest(FieldProblem("sender", message, ErrorKind.INVALID_SENDER))
    return senders


def _check_media(body: RequestBody, capabilities: Capabilities, problems: Problems) -> None:
    limit = capabilities.media_limit
    if len(body.media_urls) > limit:
        allowed = f"at most {limit} are allowed with this provider"
        message = allowed if limit else "the provider sends no media; leave it out"
        problems.add("mediaUrls", message, ErrorKind.UNSUPPORTED)
    for index, url in enumerate(body.media_urls):
        _check_url(f"mediaUrls[{index}]", url, problems)


def _check_callback_url(body: RequestBody, profile: ConnectionProfile, problems: Problems) -> None:
    if body.callback_url is UNSET:
        return
    _check_url("callbackUrl", body.callback_url, problems, plain="no" if profile.on_platform else "loopback")
    if not profile.has_queue:
        message = "needs a queue to post from, and the connection has none: set SMS_QUEUE, or leave it out"
        problems.add("callbackUrl", message, ErrorKind.UNSUPPORTED)


def _read_send_at(body: RequestBody, services: Services, problems: Problems) -> datetime | None:
    if body.send_at is UNSET:
        return None
    window = services.capabilities.schedule_window
    if window is None:
        problems.add("sendAt", "the provider can't schedule messages; leave it out", ErrorKind.UNSUPPORTED)
        return None
    try:
        moment = read_time(body.send_at)
    except ValueError as error:
        problems.add("sendAt", f"{quote(body.send_at)} {error}")
        return None
    if window[0] <= moment.timestamp() - services.now() <= window[1]:
        return moment.astimezone(UTC)
    problems.add(
        "sendAt", f"must be {_say_duration(window[0])} to {_say_duration(window[1])} from now with this provider"
    )
    return None


def _say_duration(seconds: int) -> str:
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"


def _check_url(field: str, url: str, problems: Problems, *, plain: Literal["yes", "loopback", "no"] = "yes") -> None:
    """Explain a wrong address without repeating it: it may hold a token. `plain`: where http may go to."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        problems.add(field, "is not an address; check its host, brackets and port")
        return
    plain_allowed = plain == "yes" or (plain == "loopback" and _is_loopback(parts))
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        problems.add(field, "has characters that an address can't have; percent-encode them")
    elif parts.scheme not in ("http", "https") or not parts.hostname:
        problems.add(field, "must be an absolute https:// address")
    elif parts.scheme == "http" and not plain_allowed:
        problems.add(field, "must be an https:// address: results would travel in the clear")
    elif parts.username is not None or parts.password is not None:
        problems.add(field, "must hold no user name or password")


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def recipient_rules(
    body: RequestBody, services: Services, senders: SenderChoice | None = None, *, preview: bool = False
) -> RecipientRules:
    """Return how recipients are read: national forms by the request's `defaultCountry`, else the connection's.

    Without either, a national number is probably from where the default sender is, which helps its refusal only.
    Without `senders` none is chosen; a preview may be of media alone. Raises InvalidRequest.
    """
    capabilities = services.capabilities
    default = next((sender for sender in services.profile.senders.listed if sender.default), None)
    return RecipientRules(
        channels=capabilities.channels,
        senders=senders,
        region=region_of(default.address) if default else None,
        country=read_country(body.default_country, services.profile.default_country),
        text_limit=min(MAX_TEXT, capabilities.text_limit),
        basic_plane_only=capabilities.basic_plane_only,
        needs_text=not (preview or body.media_urls),
    )
