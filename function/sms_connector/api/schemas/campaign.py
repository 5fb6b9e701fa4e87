"""Campaigns, their results and their forecasts, as they are answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta

from sms_connector.api.schemas.base import (
    Maybe,
    NextPageToken,
    PageQuery,
    Payload,
    ProblemInfo,
    Time,
    Warnings,
    payload_of,
    write_time,
    write_warnings,
)
from sms_connector.api.schemas.message import SendResult, TemplateUse, write_refused, write_template_use
from sms_connector.api.schemas.message import write_result as write_message_result
from sms_connector.campaigns.chunk import RefusedRecord
from sms_connector.model.record_warnings import read_warnings
from sms_connector.model.status import MessageStatus
from sms_connector.store.campaign_record import CampaignState
from sms_connector.store.message_record import MessageRecord

if TYPE_CHECKING:
    from sms_connector.campaigns.control import CampaignProgress
    from sms_connector.campaigns.forecast import Forecast, SenderForecast
    from sms_connector.campaigns.intake import Totals
    from sms_connector.campaigns.results import Result
    from sms_connector.model.record_warnings import RecordWarnings
    from sms_connector.store.campaign_record import Campaign

Encodings = Annotated[dict[str, int], Meta(description="Records by encoding.")]


class CampaignInfo(Payload):
    """A campaign. In a list it is without what has to be counted."""

    id: str
    name: str | None
    reference: str | None
    state: CampaignState
    reason: Annotated[str | None, Meta(description="Why it was paused (also by itself), resumed or canceled, if said.")]
    sender: Annotated[str | None, Meta(description="Of all messages; null where it is chosen for each recipient.")]
    senders: Annotated[dict[str, int], Meta(description="Messages by sender.")]
    message: str
    mapping: dict[str, str]
    source: str | None
    origin: Annotated[str | None, Meta(description="Of a retry: the campaign whose records it sends again.")]
    total: Annotated[int, Meta(description="Records, `refused` ones included.")]
    refused: Annotated[int, Meta(description="Records that can't be sent; the results say why.")]
    duplicates: Annotated[int, Meta(description="Records whose person came before in this campaign.")]
    segments: int
    encodings: Encodings
    created_at: Time
    updated_at: Time
    done_at: Time | None
    waiting: Maybe[Annotated[int, Meta(description="Records that were not called yet.")]] = UNSET
    counts: Maybe[
        Annotated[dict[str, int], Meta(description="All other records by status; both add up to `total`.")]
    ] = UNSET
    open: Maybe[Annotated[int, Meta(description="Messages whose status is not final.")]] = UNSET
    rate: Maybe[Annotated[float | None, Meta(description="Messages a second, since it last began to run.")]] = UNSET
    estimated_end: Maybe[Annotated[Time | None, Meta(description="At that rate.")]] = UNSET
    template: Maybe[TemplateUse] = UNSET
    warnings: Maybe[Annotated[list[ProblemInfo], Meta(description="The first 20.")]] = UNSET
    may_still_leave: Maybe[
        Annotated[int, Meta(description="Of `:pause` and `:cancel`: what may still be sent until all workers know.")]
    ] = UNSET
    taking_back: Maybe[
        Annotated[int, Meta(description="Of a canceled one with `sendAt`: messages the provider is asked to cancel.")]
    ] = UNSET
    not_taken_back: Maybe[
        Annotated[int, Meta(description="Open messages that the provider can't or won't cancel.")]
    ] = UNSET
    request_id: Maybe[str] = UNSET


# What a list leaves out although the campaign has something of the name.
_NOT_COUNTED = {"counts": UNSET, "warnings": UNSET, "request_id": UNSET}


class RefusedInfo(ProblemInfo, kw_only=True):
    """A record that can't be sent, and why."""

    index: int
    to: str | None


class SenderForecastInfo(Payload):
    """One sender's part: its messages, and how fast it sends them."""

    sender: str
    messages: int
    segments: int
    rate: Annotated[float | None, Meta(description="Segments a second of this kind of sender; null: not published.")]
    longest_wait_seconds: float
    estimated_end: Time


class ForecastInfo(Payload):
    """The expected duration. Messages go out at `rate`; what the sender can't send at once waits at the provider."""

    rate: Annotated[float, Meta(description="Messages a second: workers, node's rate, connection's rate.")]
    hand_over_seconds: Annotated[float, Meta(description="Until the last message is handed to the provider.")]
    sender_rate: Annotated[
        float | None, Meta(description="Segments a second of the sender that takes longest; null: not published.")
    ]
    longest_wait_seconds: Annotated[float, Meta(description="Of the last message, at the provider.")]
    estimated_end: Time
    ahead: Annotated[int, Meta(description="Messages of campaigns that run already: they go first.")]
    senders: list[SenderForecastInfo]


class CampaignPlan(Payload):
    """The plan of a campaign (`dryRun`); nothing was sent or kept."""

    total: int
    refused: int
    refusals: Annotated[list[RefusedInfo], Meta(description="The first 100.")]
    duplicates: Annotated[int, Meta(description="Records whose person came before.")]
    warnings: Warnings
    segments: int
    encodings: Encodings
    forecast: ForecastInfo
    would_be_refused: Annotated[str | None, Meta(description="Why the same request without `dryRun` fails.")]
    dry_run: bool = True


class CampaignList(Payload):
    """A page of campaigns, newest first."""

    campaigns: list[CampaignInfo]
    next_page_token: NextPageToken


class CampaignListQuery(PageQuery):
    """Which campaigns."""

    state: Maybe[CampaignState] = UNSET


class CampaignResultList(Payload):
    """A page of results in the order of the records; `summary` counts this page's by status."""

    results: list[SendResult]
    summary: dict[str, int]
    next_page_token: NextPageToken


class ResultQuery(PageQuery):
    """Which results."""

    status: Maybe[MessageStatus] = UNSET
    page_size: Annotated[int, Meta(ge=1, le=1000, description="Entries of a page.")] = 100


def write_campaign(campaign: Campaign, *progress: CampaignProgress, **counted: Any) -> CampaignInfo:
    return payload_of(
        CampaignInfo,
        *progress,
        campaign,
        reason=campaign.state_reason,
        sender=campaign.options.sender,
        senders={sender: load.messages for sender, load in campaign.loads.items()},
        message=campaign.text,
        template=write_template_use(campaign.options.template),
        **{**_NOT_COUNTED, **counted},
    )


def write_progress(progress: CampaignProgress, *, request_id: Maybe[str] = UNSET) -> CampaignInfo:
    info = write_campaign(
        progress.campaign,
        progress,
        counts=dict(progress.counts),
        open=progress.open_messages,
        warnings=write_warnings(read_warnings(progress.campaign.warnings)),
        request_id=request_id,
    )
    info.rate = None if progress.rate is None else round(progress.rate, 3)
    info.estimated_end = None if progress.estimated_end is None else write_time(progress.estimated_end)
    return info


def write_plan(totals: Totals, forecast: Forecast, notes: RecordWarnings) -> CampaignPlan:
    return payload_of(
        CampaignPlan,
        totals,
        refusals=[payload_of(RefusedInfo, each) for each in totals.refusals],
        duplicates=notes.duplicates,
        warnings=write_warnings(notes.warnings),
        encodings=dict(totals.encodings),
        forecast=payload_of(
            ForecastInfo,
            forecast,
            hand_over_seconds=round(forecast.hand_over_seconds, 3),
            longest_wait_seconds=round(forecast.longest_wait_seconds, 3),
            estimated_end=write_time(forecast.ends_at),
            senders=[_write_sender_forecast(part) for part in forecast.senders],
        ),
        would_be_refused=forecast.refusal if notes.refusal is None else str(notes.refusal),
    )


def _write_sender_forecast(part: SenderForecast) -> SenderForecastInfo:
    wait = round(part.longest_wait_seconds, 3)
    return payload_of(SenderForecastInfo, part, longest_wait_seconds=wait, estimated_end=write_time(part.ends_at))


def write_result_page(results: Sequence[Result], next_page_token: str | None) -> CampaignResultList:
    written = [write_result(result) for result in results]
    summary = Counter(str(each.status) for each in written)
    return CampaignResultList(results=written, summary=dict(summary), next_page_token=next_page_token)


def write_result(result: Result) -> SendResult:
    """Write a message, a refused record, or a record that was not called: `accepted`, or `canceled` for good."""
    if isinstance(result, MessageRecord):
        return write_message_result(result)
    if isinstance(result, RefusedRecord):
        return write_refused(result, result)
    return payload_of(SendResult, result, id=result.message_id, final=result.canceled)
