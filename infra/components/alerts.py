"""Log metrics, alert policies and their recipients."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.platform import Platform
from connection_config import ConnectionConfig
from labels import own_labels
from naming import ConnectionNames
from providers import DEFAULT, OWN_SECRETS, PROVIDERS, PROXY_SECRETS


@dataclass(frozen=True, slots=True)
class Alert:
    """`query` is PromQL and true while something is wrong; `todo` is what the one who is woken reads."""

    key: str
    title: str
    query: str
    after: str
    severity: str
    todo: str


def log_filters(names: ConnectionNames) -> dict[str, str]:
    """Log metrics by what they count. A test holds the names of events and fields against what the functions write."""
    of = 'resource.type="cloud_run_revision" AND resource.labels.service_name'
    connector, worker, webhook, rotator = (
        names.function(role) for role in ("connector", "worker", "webhook", "rotator")
    )
    return {
        # The platform's own request log: sends that were accepted, chunks that were carried out. A log metric also
        # counts lines that are excluded from storage, as these are (`request_log.py`). The maintenance run sends
        # nothing by itself.
        "sends": (
            f'{of}=("{connector}" OR "{worker}") AND logName:"run.googleapis.com%2Frequests" AND httpRequest.requestMethod="POST"'
            f' AND httpRequest.status<300 AND NOT httpRequest.requestUrl=~"/tasks/maintenance$"'
            f' AND (resource.labels.service_name="{worker}" OR httpRequest.requestUrl=~"/v1/(messages:send|campaigns)$")'
        ),
        # The connector logs the state at every connection test; the scheduler asks for one every few minutes.
        "not-active": f'{of}="{connector}" AND jsonPayload.message="connection test" AND jsonPayload.state!="ACTIVE"',
        # Nothing of ours: the wrong address, too much of it, or not signed as the provider signs. `why` says which.
        "callbacks-rejected": f'{of}=("{connector}" OR "{webhook}") AND jsonPayload.message="callback_rejected"',
        "callbacks-given-up": f'{of}="{connector}" AND jsonPayload.message="notification_given_up"',
        # The rotator has taken a notice that only an operator can act on; `steps` says how.
        "due-by-hand": f'{of}="{rotator}" AND jsonPayload.message="rotation_due"',
    }


# Labels of log metrics: from which field of the line.
LOG_LABELS = {"callbacks-rejected": {"why": "jsonPayload.why"}}


KIND = 'monitored_resource="cloud_run_revision"'


def counted(names: ConnectionNames, key: str, more: str = "") -> str:
    """Select a log metric in PromQL, with `more` matchers. Dashes of its name become underscores."""
    return series(f"logging_googleapis_com:user_{names.other(key).replace('-', '_')}", more)


def series(name: str, more: str = "") -> str:
    """Select a metric of the functions in PromQL. Where a metric is defined for several kinds of resource, and every
    log metric is, a query that doesn't name the kind is refused:
    https://cloud.google.com/monitoring/promql/promql-mapping
    """
    return f"{name}{{{','.join(filter(None, (KIND, more)))}}}"


def alerts(names: ConnectionNames, provider: str = DEFAULT) -> tuple[Alert, ...]:
    """Return the alert table of a connection."""
    return (*_traffic_alerts(names), *_rotation_alerts(names, provider), *_upkeep_alerts(names))


REQUESTS = "run_googleapis_com:request_count"


def _traffic_alerts(names: ConnectionNames) -> tuple[Alert, ...]:
    connector, worker, webhook = (names.function(role) for role in ("connector", "worker", "webhook"))
    every = f'service_name=~"{connector}|{worker}|{webhook}"'
    requests = series(REQUESTS, every)
    failures = series(REQUESTS, f'{every},response_code_class="5xx"')
    refusals = series(REQUESTS, f'service_name=~"{connector}|{worker}",response_code="429"')
    callbacks = series(REQUESTS, f'service_name="{webhook}"')
    return (
        Alert(
            "error-rate",
            "more than 5 % of requests fail",
            f"sum(rate({failures}[5m])) / sum(rate({requests}[5m])) > 0.05",
            "300s",
            "ERROR",
            "Look at the functions' logs from severity WARNING up (`ledger_unavailable` is Firestore), then at the provider's status page.",
        ),
        Alert(
            "throttle-saturation",
            "requests are refused because the nodes are at their rate",
            f"sum(rate({refusals}[5m])) > 0.1",
            "600s",
            "WARNING",
            "Raise `nodes.max` or `rate.connection`, or send large batches as campaigns: they wait in the queue instead.",
        ),
        Alert(
            "no-callbacks",
            "messages are sent, but no callback has come for an hour",
            f"sum(increase({counted(names, 'sends')}[1h])) > 20 unless on() (sum(increase({callbacks}[1h])) > 0)",
            "900s",
            "WARNING",
            "Statuses are still polled. See whether the provider shows failed deliveries to the webhook's address.",
        ),
    )


def _rotation_alerts(names: ConnectionNames, provider: str) -> tuple[Alert, ...]:
    """A notice is unacknowledged until its secret was rotated. A rotation by the rotator takes an hour and a half, most
    of it the overlap of old and new."""
    specs = [*PROVIDERS[provider].secrets, *OWN_SECRETS, *PROXY_SECRETS]
    by_itself = sorted(spec.name for spec in specs if spec.rotates and spec.name in PROVIDERS[provider].rotated)
    by_hand = sorted(spec.name for spec in specs if spec.rotates and spec.name not in PROVIDERS[provider].rotated)
    overdue = Alert(
        "rotation-overdue",
        "a secret is due for rotation for three days",
        _noticed_before(names, by_hand, 3 * 24),
        "300s",
        "WARNING",
        "Rotate as the stack's output `commands.rotate` says; its last part takes the notice out of the inbox.",
    )
    stuck = Alert(
        "rotation-stuck",
        "a rotation is under way for four hours",
        _noticed_before(names, by_itself, 4),
        "300s",
        "ERROR",
        "The rotator's log says why (`rotation_waits` with the stage, or an error). It goes on with each delivery of the "
        "notice; every credential in use is good meanwhile. Where the provider refuses, rotate as `commands.rotate` says.",
    )
    refused = Alert(
        "due-by-hand",
        "a secret is due for rotation, and the provider does not let the rotator make a new one",
        f"sum(increase({counted(names, 'due-by-hand')}[15m])) > 0",
        "0s",
        "WARNING",
        "Rotate as the rotator's log line `rotation_due` says.",
    )
    return (overdue, stuck, refused) if by_itself else (overdue,)


def _noticed_before(names: ConnectionNames, secrets: Sequence[str], hours: int) -> str:
    subscriptions = "|".join(names.rotation(secret) for secret in secrets)
    age = "pubsub_googleapis_com:subscription_oldest_unacked_message_age"
    return f'max by (subscription_id) ({age}{{subscription_id=~"{subscriptions}"}}) > {hours * 3600}'


def _upkeep_alerts(names: ConnectionNames) -> tuple[Alert, ...]:
    unsigned, given_up = counted(names, "callbacks-rejected", 'why="signature"'), counted(names, "callbacks-given-up")
    queues = f'{{queue_id=~"{names.queue("chunks")}|{names.queue("events")}"}}'
    return (
        Alert(
            "not-active",
            "the provider doesn't accept the connection",
            f"sum(increase({counted(names, 'not-active')}[15m])) > 1",
            "0s",
            "CRITICAL",
            "Ask for the reason with the stack's output `commands.test`. AUTH_ERROR: the credentials; ERROR: the way there.",
        ),
        # Requests of others to the public address are refused by its token, without an alert. A callback that has the
        # token and not the signature comes from the provider, signed with a credential that we don't have.
        Alert(
            "callbacks-rejected",
            "the provider's callbacks are refused because of their signature",
            f"sum(increase({unsigned}[15m])) > 5",
            "0s",
            "ERROR",
            "The token that signs callbacks was changed at the provider: add it as the stack's output `commands.rotate` says.",
        ),
        Alert(
            "callbacks-given-up",
            "results could not be posted to a callback URL",
            f"sum(increase({given_up}[15m])) > 0",
            "0s",
            "ERROR",
            "`GET /v1/callbacks?state=given_up` says which and why. When the receiver works again, post them again from there.",
        ),
        Alert(
            "queue-backlog",
            "more than 10 000 tasks wait",
            f"max(cloudtasks_googleapis_com:queue_depth{queues}) > 10000",
            "900s",
            "WARNING",
            "A campaign larger than the rate explains it. If not, look at the worker's logs and at `workers.max`.",
        ),
    )


class ConnectionAlerts(Component):
    """Owns log metrics, alert policies and a channel per e-mail address. Refuses to own existing channels: they are
    referred to."""

    def __init__(
        self, name: str, config: ConnectionConfig, platform: Platform, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._config, self._platform = config, platform
        self._names = ConnectionNames(config.name)
        self._labels = own_labels(config.name, config.labels)
        self.metrics = [self._metric(key, text) for key, text in log_filters(self._names).items()]
        made = [channel.id for channel in map(self._channel, config.alerts_emails)]
        self.channels: list[pulumi.Input[str]] = [*made, *config.alerts_channels]
        watched = [
            a
            for a in alerts(self._names, config.provider)
            if config.webhook_public != "none" or a.key != "no-callbacks"
        ]
        self.policies = [self._policy(alert, self.channels) for alert in watched]
        self.register_outputs({})

    def _metric(self, key: str, log_filter: str) -> gcp.logging.Metric:
        labels = LOG_LABELS.get(key, {})
        return gcp.logging.Metric(
            f"{self._config.name}-{key}",
            project=self._platform.project,
            name=self._names.other(key),
            filter=log_filter,
            metric_descriptor=gcp.logging.MetricMetricDescriptorArgs(
                metric_kind="DELTA",
                value_type="INT64",
                unit="1",
                labels=[gcp.logging.MetricMetricDescriptorLabelArgs(key=label, value_type="STRING") for label in labels]
                or None,
            ),
            label_extractors={label: f"EXTRACT({field})" for label, field in labels.items()} or None,
            opts=self.child(self._platform.apis["logging"]),
        )

    def _channel(self, email: str) -> gcp.monitoring.NotificationChannel:
        return gcp.monitoring.NotificationChannel(
            f"{self._config.name}-email-{hashlib.sha256(email.encode()).hexdigest()[:8]}",  # no address in the state's names
            project=self._platform.project,
            type="email",
            display_name=f"SMS connection {self._config.name}",
            labels={"email_address": email},
            user_labels=self._labels,
            force_delete=True,  # policies that name it lose it, instead of keeping it from being deleted
            opts=self.child(self._platform.apis["monitoring"]),
        )

    def _policy(self, alert: Alert, channels: list[pulumi.Input[str]]) -> gcp.monitoring.AlertPolicy:
        condition = gcp.monitoring.AlertPolicyConditionConditionPrometheusQueryLanguageArgs(
            query=alert.query,
            duration=alert.after,
            evaluation_interval="60s",
            disable_metric_validation=True,  # a metric exists only once something was counted
        )
        return gcp.monitoring.AlertPolicy(
            f"{self._config.name}-{alert.key}",
            project=self._platform.project,
            display_name=f"SMS connection {self._config.name}: {alert.title}",
            combiner="OR",
            severity=alert.severity,
            conditions=[
                gcp.monitoring.AlertPolicyConditionArgs(
                    display_name=alert.title, condition_prometheus_query_language=condition
                )
            ],
            notification_channels=channels,
            documentation=gcp.monitoring.AlertPolicyDocumentationArgs(content=alert.todo, mime_type="text/markdown"),
            alert_strategy=gcp.monitoring.AlertPolicyAlertStrategyArgs(auto_close="86400s"),
            user_labels=self._labels,
            opts=self.child(self._platform.apis["monitoring"]),
        )
