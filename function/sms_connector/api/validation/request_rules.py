"""What a request may ask of this connection: the rules by which its options and records are checked."""

from __future__ import annotations

from sms_connector.api.schemas.send_body import MAX_TEXT
from sms_connector.api.services import Services
from sms_connector.api.validation.drafts import RecipientRules, read_country
from sms_connector.api.validation.options import OptionRules
from sms_connector.model.phone_number import region_of
from sms_connector.model.send_request import Tracking


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
