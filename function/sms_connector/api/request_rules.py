"""What a request may ask of this connection: the rules by which its options and records are checked."""

from __future__ import annotations

from sms_connector.api.payloads.drafts import RecipientRules
from sms_connector.api.payloads.options import OptionRules
from sms_connector.api.payloads.send import MAX_TEXT
from sms_connector.api.route import Services
from sms_connector.messaging.requests import Tracking
from sms_connector.model.phone_number import region_of


def recipient_rules(services: Services, *, has_media: bool = False) -> RecipientRules:
    """A national number is probably from where the default sender is."""
    sender, capabilities = services.profile.sender, services.capabilities
    return RecipientRules(
        channels=capabilities.channels,
        region=region_of(sender.address) if sender else None,
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
        http_to_loopback=not profile.on_platform,
        callback_url=profile.callback_url,
        has_queue=profile.has_queue,
    )
