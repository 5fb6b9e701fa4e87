"""What is kept of requests, and how the webhook is looked at from outside."""

from __future__ import annotations

from tests.infra import harness

EXCLUSION = "gcp:logging/projectExclusion:ProjectExclusion"
UPTIME = "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"


def test_the_platforms_request_log_of_the_functions_is_not_stored() -> None:
    """`GET /v1/messages?to=…` and a callback's token would be read in it by everybody who may read logs."""
    (exclusion,) = harness.run().of(EXCLUSION)
    told = exclusion.inputs["filter"]
    assert 'service_name=("sms-connector" OR "sms-worker" OR "sms-webhook")' in told
    assert 'logName:"run.googleapis.com%2Frequests"' in told, "the functions' own lines are kept"


def test_it_is_stored_where_that_is_wanted() -> None:
    assert harness.run({"logs": '{"requests": true}'}).of(EXCLUSION) == []


def test_the_webhook_is_looked_at_from_outside() -> None:
    stack = harness.run()
    (check,) = stack.of(UPTIME)
    assert check.inputs["monitoredResource"]["labels"]["host"] == "sms-webhook-123456789012.us-central1.run.app"
    assert check.inputs["httpCheck"]["path"] == "/health"
    alert = stack.named(POLICY, "sms-webhook-unreachable").inputs
    (condition,) = alert["conditions"]
    assert 'monitored_resource="uptime_url"' in condition["conditionPrometheusQueryLanguage"]["query"]


def test_nothing_is_looked_at_where_it_is_not_public_or_not_wanted() -> None:
    assert harness.run({"webhook": '{"public": "none"}'}).of(UPTIME) == []
    assert harness.run({"alerts": '{"uptime": false}'}).of(UPTIME) == []


def test_who_reads_secrets_is_logged_where_that_is_wanted() -> None:
    kind = "gcp:projects/iAMAuditConfig:IAMAuditConfig"
    assert harness.run().of(kind) == [], "the setting is the whole project's"
    (audit,) = harness.run({"logs": '{"secretReads": true}'}).of(kind)
    assert audit.inputs["service"] == "secretmanager.googleapis.com"
    assert audit.inputs["auditLogConfigs"] == [{"logType": "DATA_READ"}]
