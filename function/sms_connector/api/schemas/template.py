"""Saved templates on the wire: what may be kept under a name, how a request takes it over, and how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from sms_connector.api.schemas.base import NextPageToken, Payload, Time, write_time
from sms_connector.api.schemas.request_body import TemplateBody

if TYPE_CHECKING:
    from sms_connector.store.saved_templates import SavedTemplate

# Members whose entries a request replaces one by one.
_NESTED = ("mapping", "tracking")


class TemplateInfo(TemplateBody, kw_only=True, forbid_unknown_fields=False):
    """A saved template: its members as they were saved, and its version."""

    name: str
    version: Annotated[int, Meta(description="Counts its changes, from 1.")]
    placeholders: Annotated[list[str], Meta(description="What its message is filled with.")]
    created_at: Time
    updated_at: Time


class TemplateList(Payload):
    """A page of templates in the order of their names."""

    templates: list[TemplateInfo]
    next_page_token: NextPageToken


def write_template(saved: SavedTemplate, placeholders: list[str]) -> dict[str, Any]:
    """Return a TemplateInfo with those members that were saved."""
    tracking = {"tracking": {"wait": False, **saved.content["tracking"]}} if "tracking" in saved.content else {}
    return {
        **saved.content,
        **tracking,
        "name": saved.name,
        "version": saved.version,
        "placeholders": placeholders,
        "createdAt": write_time(saved.created_at),
        "updatedAt": write_time(saved.updated_at),
    }


def fill_document(
    saved: SavedTemplate, document: dict[str, Any], *, campaign: bool = False, single: bool = False
) -> dict[str, Any]:
    """Return the request with what the template adds to it; what the request says itself goes first.

    A single recipient has nothing to map; a campaign is answered at once and reports every wrong record.
    """
    content = dict(saved.content)
    if campaign:
        content.pop("onInvalid", None)
        content["tracking"] = {name: value for name, value in content.get("tracking", {}).items() if name != "wait"}
    elif single:
        content.pop("mapping", None)
    merged = {**content, **document}
    for name in _NESTED:
        if isinstance(content.get(name), dict) and isinstance(document.get(name), dict):
            merged[name] = {**content[name], **document[name]}
    return merged
