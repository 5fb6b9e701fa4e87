"""`/v1/campaigns`: create, look up, list, results, pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from sms_connector.api.body import spool
from sms_connector.api.idempotent import (
    KEY_DESCRIPTION,
    KEY_HEADER,
    digest_upload,
    read_key,
    read_or_replay,
    run_or_replay,
    unrepeatable_without_key,
)
from sms_connector.api.paging import Offset, read_page
from sms_connector.api.routing import Answer, ParsedRequest, Route
from sms_connector.api.schemas import campaign as payloads
from sms_connector.api.schemas.base import EmptyBody, ReasonBody, value_or
from sms_connector.api.schemas.request_body import CampaignBody, CampaignQuery
from sms_connector.api.schemas.result_csv import write_csv
from sms_connector.api.services import Services
from sms_connector.api.uploads.text import FORMS, read_content_type
from sms_connector.api.validation.campaign_request import open_records, read_request
from sms_connector.store.campaign_record import CampaignState

if TYPE_CHECKING:
    from sms_connector.campaigns.control import CampaignProgress

CSV, JSON = "text/csv", "application/json"


def create_campaign(services: Services, call: ParsedRequest) -> Answer:
    """Send up to 1 000 000 records, carried out by the queue.

    202 when every record is kept and the queue has a task for each chunk of them.
    """
    services.engine.intake.require_queue()
    key = read_key(call)
    with spool(call.stream) as spooled:
        sent = read_content_type(call.headers)
        digest = digest_upload(call.given, sent.format, sent.charset, content=spooled.digest.encode())
        request = read_or_replay(services, call, digest, lambda: read_request(services, call, spooled))
        if isinstance(request, Answer):
            return _with_location(request)
        if request.body.dry_run:
            with open_records(services, request, spooled) as records:
                totals, forecast = services.engine.intake.forecast(request.order, records)
            return Answer(payloads.write_plan(totals, forecast, request.order.notes))

        def carry_out(nonce: str) -> payloads.CampaignInfo:
            services.engine.connection.require_active()
            with open_records(services, request, spooled) as records, unrepeatable_without_key(call):
                campaign = services.engine.intake.accept(replace(request.order, nonce=nonce), records)
                progress = services.engine.campaigns.get(campaign.id)
            return payloads.write_progress(progress, request_id=call.request_id)

        return _with_location(run_or_replay(services, key, digest, carry_out=carry_out, status=202))


def _with_location(answer: Answer) -> Answer:
    content = answer.encoded()
    campaign = msgspec.json.decode(content)["id"]
    return Answer(content, answer.status, {**answer.headers, "Location": f"/v1/campaigns/{campaign}"})


def get_campaign(services: Services, call: ParsedRequest) -> Answer:
    """Look up how far a campaign is."""
    progress = services.engine.campaigns.get(call.path["campaign_id"])
    return Answer(_with_reason(services, payloads.write_progress(progress)))


def _with_reason(services: Services, info: payloads.CampaignInfo) -> payloads.CampaignInfo:
    """Report a running campaign as paused while its connection is suspended."""
    if info.state is CampaignState.RUNNING and (why := services.engine.connection.why_suspended()) is not None:
        info.reason = why
    return info


def list_campaigns(services: Services, call: ParsedRequest) -> Answer:
    """List campaigns, newest first."""
    state = value_or(call.query.state, None)
    found, token = read_page(call, partial(services.engine.campaigns.page, state=state), "campaigns", state)
    listed = [_with_reason(services, payloads.write_campaign(campaign)) for campaign in found]
    return Answer(payloads.CampaignList(listed, token))


def list_campaign_results(services: Services, call: ParsedRequest) -> Answer:
    """List what became of each record, in order; as CSV with Accept: text/csv.

    The CSV has all of them, with one chunk in memory at a time.
    """
    query: payloads.ResultQuery = call.query
    campaign = services.engine.campaigns.read(call.path["campaign_id"])
    status = value_or(query.status, None)
    if _wants_csv(call):
        name = f'attachment; filename="{campaign.id}.csv"'
        content = write_csv(services.engine.results.all(campaign, status=status), campaign.columns)
        return Answer(content, headers={"Content-Type": f"{CSV}; charset=utf-8", "Content-Disposition": name})
    listed = f"{campaign.id} {status}" if status else campaign.id
    fetch = partial(services.engine.results.page, campaign, status=status)
    return Answer(payloads.write_result_page(*read_page(call, fetch, listed, kind=Offset)))


def pause_campaign(services: Services, call: ParsedRequest) -> Answer:
    """Stop sending for now; within seconds."""
    return _move(services.engine.campaigns.pause, call)


def resume_campaign(services: Services, call: ParsedRequest) -> Answer:
    """Go on sending."""
    services.engine.intake.require_queue()
    return _move(services.engine.campaigns.resume, call)


def cancel_campaign(services: Services, call: ParsedRequest) -> Answer:
    """Send nothing more, for good."""
    return _move(services.engine.campaigns.cancel, call)


def retry_campaign(services: Services, call: ParsedRequest) -> Answer:
    """Send the records that failed and can safely be sent now, as a new campaign.

    Repeatable without a key: each record is sent again once. A second request at the same moment is answered with
    409.
    """
    engine, campaign_id = services.engine, call.path["campaign_id"]
    engine.intake.require_queue()
    engine.connection.require_active()
    with engine.keys.alone(f"retry of {campaign_id}"):
        campaign = engine.retries.retry(campaign_id, request_id=call.request_id)
    info = payloads.write_progress(engine.campaigns.get(campaign.id), request_id=call.request_id)
    return _with_location(Answer(info, 202))


def _move(move: Callable[[str, str | None], CampaignProgress], call: ParsedRequest) -> Answer:
    body: ReasonBody = call.body
    return Answer(payloads.write_progress(move(call.path["campaign_id"], body.reason or None)))


def _wants_csv(call: ParsedRequest) -> bool:
    """Return True if CSV is named and preferred over JSON; `*/*` is not enough."""
    header = call.headers.get("Accept", "").lower()
    weights = {name.partition(";")[0]: weight for name, weight in parse_accept_header(header, Accept)}
    return 0 < weights.get(CSV, 0) >= weights.get(JSON, 0)


_ONE = "/v1/campaigns/{campaign_id}"


ROUTES = (
    Route(
        "POST",
        "/v1/campaigns",
        create_campaign,
        payloads.CampaignInfo,
        status=202,
        also_answers=(200, payloads.CampaignPlan, "With `dryRun`."),
        body=CampaignBody,
        streamed=tuple(FORMS),
        query=CampaignQuery,
        errors=(403, 409, 422),
        headers={KEY_HEADER: KEY_DESCRIPTION},
    ),
    Route("GET", "/v1/campaigns", list_campaigns, payloads.CampaignList, query=payloads.CampaignListQuery),
    Route("GET", _ONE, get_campaign, payloads.CampaignInfo, errors=(404,)),
    Route(
        "GET",
        f"{_ONE}/results",
        list_campaign_results,
        payloads.CampaignResultList,
        query=payloads.ResultQuery,
        errors=(404,),
        also_as=(CSV,),
    ),
    Route("POST", f"{_ONE}:pause", pause_campaign, payloads.CampaignInfo, body=ReasonBody, errors=(404, 422)),
    Route("POST", f"{_ONE}:resume", resume_campaign, payloads.CampaignInfo, body=ReasonBody, errors=(404, 422)),
    Route("POST", f"{_ONE}:cancel", cancel_campaign, payloads.CampaignInfo, body=ReasonBody, errors=(404, 422)),
    Route(
        "POST",
        f"{_ONE}:retry",
        retry_campaign,
        payloads.CampaignInfo,
        status=202,
        body=EmptyBody,
        errors=(404, 409, 422),
    ),
)
