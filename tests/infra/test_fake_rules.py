"""The fake refuses, delays and forgets what the real Google Cloud does. Each test is a fault that a kinder fake let through."""

from __future__ import annotations

import base64
import http.client
import http.server
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.functions import Received, answering
from tests.infra import deployer
from tests.infra.fake_google import tokens
from tests.infra.fake_google.catalog import AGENTS, NUMBER, PROJECT
from tests.infra.fake_google.front_door import FrontDoor
from tests.infra.fake_google.http import FakeGoogle

OWN = f"projects/{PROJECT}"
PLACE = f"{OWN}/locations/us-central1"
APIS = [
    "artifactregistry",
    "cloudfunctions",
    "cloudscheduler",
    "cloudtasks",
    "firestore",
    "iam",
    "pubsub",
    "run",
    "secretmanager",
]


class Client:
    """Calls the fake by hand."""

    def __init__(self, fake: FakeGoogle) -> None:
        self.fake = fake

    def __call__(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.fake.address}/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def done(self, method: str, path: str, body: object = None) -> Any:
        status, answer = self(method, path, body)
        assert status == 200, answer
        return answer

    def grant(self, path: str, role: str, member: str) -> tuple[int, Any]:
        _, policy = self("POST", f"{path}:getIamPolicy", {})
        bindings = [*policy.get("bindings", []), {"role": role, "members": [member]}]
        return self("POST", f"{path}:setIamPolicy", {"policy": policy | {"bindings": bindings}})


@pytest.fixture
def google() -> Iterator[Client]:
    fake = FakeGoogle(strict=True).start()
    client = Client(fake)
    for api in APIS:
        client.done("POST", f"serviceusage/v1/{OWN}/services/{api}.googleapis.com:enable", {})
    yield client
    fake.close()


def settle(google: Client) -> None:
    """Let the grants that were made act."""
    google.done("POST", "_fake/advance", {"seconds": 300})


def message(answer: Any) -> str:
    told: str = answer["error"]["message"]
    return told


# --- Firestore -----------------------------------------------------------------------------------------------------------

DATABASES = f"firestore/v1/{OWN}/databases"
DATABASE = {"locationId": "us-central1", "type": "FIRESTORE_NATIVE"}


def test_a_new_database_can_read_as_absent_and_is_there_all_the_same(google: Client) -> None:
    google.done("POST", "_fake/switch", {"late_reads": 1})
    google.done("POST", f"{DATABASES}?databaseId=sms-ledger", DATABASE)
    assert google("GET", f"{DATABASES}/sms-ledger")[0] == 404
    assert google("POST", f"{DATABASES}?databaseId=sms-ledger", DATABASE)[0] == 409
    assert google("GET", f"{DATABASES}/sms-ledger")[0] == 200


def field(collection: str) -> str:
    return f"{DATABASES}/sms-ledger/collectionGroups/{collection}/fields/document?updateMask=indexConfig"


def test_operations_on_fields_that_meet_are_refused(google: Client) -> None:
    google.done("POST", f"{DATABASES}?databaseId=sms-ledger", DATABASE)
    operation = google.done("PATCH", field("messages"), {"indexConfig": {"indexes": []}})
    assert "done" not in operation
    index = {"fields": [{"fieldPath": "to", "order": "ASCENDING"}, {"fieldPath": "at", "order": "DESCENDING"}]}
    for method, path, body in (
        ("PATCH", field("campaigns"), {"indexConfig": {"indexes": []}}),
        ("POST", f"{DATABASES}/sms-ledger/collectionGroups/messages/indexes", index),
    ):
        status, answer = google(method, path, body)
        assert (status, answer["error"]["status"]) == (409, "ABORTED")
        assert "cross-transaction contention" in message(answer)
    assert google.done("GET", f"firestore/v1/{operation['name']}")["done"]
    google.done("PATCH", field("campaigns"), {"indexConfig": {"indexes": []}})


def test_a_databases_name_is_refused_for_five_minutes(google: Client) -> None:
    google.done("POST", f"{DATABASES}?databaseId=sms-ledger", DATABASE)
    google.done("DELETE", f"{DATABASES}/sms-ledger")
    assert google("POST", f"{DATABASES}?databaseId=sms-ledger", DATABASE)[0] == 400
    google.done("POST", "_fake/advance", {"seconds": 301})
    google.done("POST", f"{DATABASES}?databaseId=sms-ledger", DATABASE)


# --- queues --------------------------------------------------------------------------------------------------------------

QUEUES = f"cloudtasks/v2/{PLACE}/queues"


def test_a_queues_name_is_refused_for_a_week(google: Client) -> None:
    google.done("POST", QUEUES, {"name": f"{PLACE}/queues/sms-chunks"})
    google.done("DELETE", f"{QUEUES}/sms-chunks")
    google.done("POST", "_fake/advance", {"seconds": 6 * 24 * 3600})
    status, answer = google("POST", QUEUES, {"name": f"{PLACE}/queues/sms-chunks"})
    assert (status, "existed too recently" in message(answer)) == (400, True)
    google.done("POST", "_fake/advance", {"seconds": 2 * 24 * 3600})
    google.done("POST", QUEUES, {"name": f"{PLACE}/queues/sms-chunks"})


@pytest.mark.parametrize(("service", "kind"), [("cloudtasks/v2", "queues"), ("cloudscheduler/v1", "jobs")])
def test_a_region_without_the_service(google: Client, service: str, kind: str) -> None:
    elsewhere = f"{OWN}/locations/europe-west4"
    body = {"name": f"{elsewhere}/{kind}/x", "schedule": "* * * * *"}
    status, answer = google("POST", f"{service}/{elsewhere}/{kind}", body)
    assert (status, "is not a valid location" in message(answer)) == (400, True)


def account(google: Client, name: str) -> str:
    made = google.done("POST", f"iam/v1/{OWN}/serviceAccounts", {"accountId": name, "serviceAccount": {}})
    email: str = made["email"]
    return email


def test_a_task_takes_the_right_to_enqueue_and_to_act_as_whom_it_calls(google: Client) -> None:
    google.done("POST", QUEUES, {"name": f"{PLACE}/queues/sms-chunks"})
    worker, tasks = account(google, "sms-worker"), account(google, "sms-tasks")
    task = {"task": {"httpRequest": {"url": "https://x", "oidcToken": {"serviceAccountEmail": tasks}}}}

    def create() -> int:
        return google("POST", f"{QUEUES}/sms-chunks/tasks", task, tokens.issue(worker, "x"))[0]

    assert create() == 403
    google.grant(f"{QUEUES}/sms-chunks", "roles/cloudtasks.enqueuer", f"serviceAccount:{worker}")
    settle(google)
    assert create() == 403, "may enqueue, but not as the other account"
    google.grant(f"iam/v1/{OWN}/serviceAccounts/{tasks}", "roles/iam.serviceAccountUser", f"serviceAccount:{worker}")
    assert create() == 403, "a grant acts late"
    settle(google)
    assert create() == 200


# --- pushes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "deadline", "expected"),
    [("https://rotator", 300, 200), ("http://rotator", 300, 400), ("https://rotator", 601, 400)],
)
def test_a_push_takes_https_and_ten_minutes_at_most(
    google: Client, endpoint: str, deadline: int, expected: int
) -> None:
    google.done("PUT", f"pubsub/v1/{OWN}/topics/rotation", {})
    body = {"topic": f"{OWN}/topics/rotation", "ackDeadlineSeconds": deadline, "pushConfig": {"pushEndpoint": endpoint}}
    assert google("PUT", f"pubsub/v1/{OWN}/subscriptions/pushed", body)[0] == expected


# --- secrets and their notices -------------------------------------------------------------------------------------------

SECRETS = f"secretmanager/v1/{OWN}/secrets"
REPLICATION = {"replication": {"automatic": {}}}


def rotating(google: Client, *names: str) -> None:
    """Secrets that are due in a day, and an inbox of each."""
    google.done("PUT", f"pubsub/v1/{OWN}/topics/rotation", {})
    google.done("POST", f"serviceusage/v1beta1/{OWN}/services/secretmanager.googleapis.com:generateServiceIdentity", {})
    agent = f"serviceAccount:{AGENTS['secretmanager']}"
    google.grant(f"pubsub/v1/{OWN}/topics/rotation", "roles/pubsub.publisher", agent)
    settle(google)
    soon = "2026-01-01T00:00:00Z"
    for name in names:
        rotation = {"rotationPeriod": f"{3000 * 24 * 3600}s", "nextRotationTime": soon}
        body = {**REPLICATION, "topics": [{"name": f"{OWN}/topics/rotation"}], "rotation": rotation}
        google.done("POST", f"{SECRETS}?secretId={name}", body)
        wanted = f'attributes.eventType = "SECRET_ROTATE" AND attributes.secretId = "projects/{NUMBER}/secrets/{name}"'
        inbox = {"topic": f"{OWN}/topics/rotation", "filter": wanted, "messageRetentionDuration": f"{31 * 24 * 3600}s"}
        google.done("PUT", f"pubsub/v1/{OWN}/subscriptions/rotation-{name}", inbox)


def waiting(google: Client, name: str) -> int:
    pulled = google.done("POST", f"pubsub/v1/{OWN}/subscriptions/rotation-{name}:pull", {})
    return len(pulled["receivedMessages"])


def test_notices_come_by_the_clock_and_one_secrets_end_leaves_the_others(google: Client) -> None:
    rotating(google, "a", "b")
    google.done("POST", "_fake/advance", {"seconds": 24 * 3600})
    assert (waiting(google, "a") > 0, waiting(google, "b") > 0) == (True, True)
    google.done("POST", f"pubsub/v1/{OWN}/subscriptions/rotation-a:seek", {"time": "2026-01-02T00:00:00Z"})
    assert (waiting(google, "a"), waiting(google, "b") > 0) == (0, True)


def test_pub_sub_forgets(google: Client) -> None:
    rotating(google, "a")
    google.done("POST", "_fake/advance", {"seconds": 24 * 3600})
    assert waiting(google, "a") > 0
    google.done("POST", "_fake/advance", {"seconds": 32 * 24 * 3600})
    assert waiting(google, "a") == 0


# --- functions -----------------------------------------------------------------------------------------------------------

FUNCTIONS = f"cloudfunctions/v2/{PLACE}/functions"


def deployable(google: Client, *, settled: bool = True) -> dict[str, Any]:
    """A function with a secret, and everything it needs."""
    who = account(google, "sms-webhook")
    google.done("POST", f"{SECRETS}?secretId=key", REPLICATION)
    add_version(google)
    google.grant(f"{SECRETS}/key", "roles/secretmanager.secretAccessor", f"serviceAccount:{who}")
    google.done("POST", f"artifactregistry/v1/{PLACE}/repositories?repository_id=images", {"format": "DOCKER"})
    for agent in ("cloudfunctions", "run"):
        member = f"serviceAccount:{AGENTS[agent]}"
        google.grant(f"artifactregistry/v1/{PLACE}/repositories/images", "roles/artifactregistry.reader", member)
    if settled:
        settle(google)
    volume = {"mountPath": "/secrets/key", "secret": "key", "versions": [{"version": "latest", "path": "key"}]}
    return {
        "buildConfig": {
            "runtime": "python312",
            "entryPoint": "webhook",
            "source": {"repoSource": {}},
            "dockerRepository": f"{PLACE}/repositories/images",
        },
        "serviceConfig": {"serviceAccountEmail": who, "secretVolumes": [volume]},
    }


def add_version(google: Client) -> None:
    google.done("POST", f"{SECRETS}/key:addVersion", {"payload": {"data": base64.b64encode(b"v").decode()}})


def test_what_is_complete_is_deployed(google: Client) -> None:
    google.done("POST", f"{FUNCTIONS}?functionId=sms-webhook", deployable(google))


def test_a_function_is_not_deployed_with_grants_that_do_not_act_yet(google: Client) -> None:
    wanted = deployable(google, settled=False)
    assert google("POST", f"{FUNCTIONS}?functionId=sms-webhook", wanted)[0] == 400
    settle(google)
    google.done("POST", f"{FUNCTIONS}?functionId=sms-webhook", wanted)


@pytest.mark.parametrize(("runtime", "status"), [("python312", 200), ("python37", 400), ("python3.12", 400)])
def test_a_runtime_that_google_does_not_have(google: Client, runtime: str, status: int) -> None:
    wanted = deployable(google)
    wanted["buildConfig"]["runtime"] = runtime
    assert google("POST", f"{FUNCTIONS}?functionId=sms-webhook", wanted)[0] == status


@pytest.mark.parametrize("without", ["logging.logWriter", "artifactregistry.writer"])
def test_a_build_account_has_what_it_was_granted(google: Client, without: str) -> None:
    wanted, builder = deployable(google), account(google, "sms-build")
    wanted["buildConfig"]["serviceAccount"] = f"{OWN}/serviceAccounts/{builder}"
    for role, path in (
        ("logging.logWriter", f"resourcemanager/v1/{OWN}"),
        ("artifactregistry.writer", f"artifactregistry/v1/{PLACE}/repositories/images"),
    ):
        if role != without:
            google.grant(path, f"roles/{role}", f"serviceAccount:{builder}")
    settle(google)
    status, answer = google("POST", f"{FUNCTIONS}?functionId=sms-webhook", wanted)
    assert (status, f"lacks roles/{without}" in message(answer)) == (400, True)


def test_a_disabled_newest_version_can_not_be_mounted(google: Client) -> None:
    wanted = deployable(google)
    add_version(google)
    google.done("POST", f"{SECRETS}/key/versions/2:disable", {})
    status, answer = google("POST", f"{FUNCTIONS}?functionId=sms-webhook", wanted)
    assert (status, "DISABLED" in message(answer)) == (400, True)


def test_agents_can_read_no_image_by_themselves(google: Client) -> None:
    wanted = deployable(google)
    google.done("POST", f"artifactregistry/v1/{PLACE}/repositories/images:setIamPolicy", {"policy": {}})
    status, answer = google("POST", f"{FUNCTIONS}?functionId=sms-webhook", wanted)
    assert (status, "Unable to retrieve the repository metadata" in message(answer)) == (400, True)


def test_everybody_is_refused_where_sharing_is_restricted(google: Client) -> None:
    google.done("POST", f"{FUNCTIONS}?functionId=sms-webhook", deployable(google))
    service = f"run/v2/{PLACE}/services/sms-webhook"
    status, answer = google.grant(service, "roles/run.invoker", "allUsers")
    assert (status, "permitted customer" in message(answer)) == (400, True)
    google.done("POST", "_fake/switch", {"restrict_sharing": False})
    assert google.grant(service, "roles/run.invoker", "allUsers")[0] == 200


def test_the_check_of_callers_can_be_switched_off_and_a_deployment_puts_it_back(google: Client) -> None:
    wanted = deployable(google)
    google.done("POST", f"{FUNCTIONS}?functionId=sms-webhook", wanted)
    service, may_call = f"run/v2/{PLACE}/services/sms-webhook", google.fake.cloud.may_call
    assert not may_call("sms-webhook", None)
    google.done("PATCH", f"{service}?updateMask=invokerIamDisabled", {"invokerIamDisabled": True})
    assert google.done("GET", service)["invokerIamDisabled"]
    assert may_call("sms-webhook", None)
    google.done("PATCH", f"{FUNCTIONS}/sms-webhook?updateMask=serviceConfig", wanted)
    assert not may_call("sms-webhook", None)


def test_a_grant_reaches_the_front_door_later(google: Client) -> None:
    google.done("POST", f"{FUNCTIONS}?functionId=sms-webhook", deployable(google))
    caller = account(google, "caller")
    google.grant(f"run/v2/{PLACE}/services/sms-webhook", "roles/run.invoker", f"serviceAccount:{caller}")
    assert not google.fake.cloud.may_call("sms-webhook", caller)
    google.done("POST", "_fake/advance", {"seconds": 300})
    assert google.fake.cloud.may_call("sms-webhook", caller)


@pytest.mark.parametrize(
    ("headers", "status", "why"),
    [
        ({}, 411, "a POST without a length, as `curl -X POST` sends it"),
        ({"Content-Length": str((32 << 20) + 1)}, 413, "more than 32 MiB"),
        ({"Transfer-Encoding": "chunked"}, 413, "nor in chunks"),
        ({"Content-Length": "0"}, 404, "an empty body is one: this goes on to the service, which isn't there"),
    ],
)
def test_the_front_door_and_bodies(headers: dict[str, str], status: int, why: str) -> None:
    door = FrontDoor(lambda _who: True)
    try:
        connection = http.client.HTTPConnection(door.address.removeprefix("http://"))
        connection.putrequest("POST", "/v1/connection:test")
        for key, value in headers.items():
            connection.putheader(key, value)
        connection.endheaders()
        if "Transfer-Encoding" in headers:
            connection.send(f"{(32 << 20) + 1:x}\r\n".encode())
        assert connection.getresponse().status == status, why
    finally:
        door.close()


def test_an_answer_that_is_too_large() -> None:
    class Large(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str((32 << 20) + 1))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    served = http.server.HTTPServer(("127.0.0.1", 0), Large)
    threading.Thread(target=served.handle_request).start()
    door = FrontDoor(lambda _who: True)
    door.backend = served.server_port
    try:
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(door.address)
    finally:
        door.close()
        served.server_close()


# --- service agents ------------------------------------------------------------------------------------------------------

TOKENS = "roles/iam.serviceAccountOpenIdTokenCreator"


def agent(google: Client, api: str) -> str:
    google.done("POST", f"serviceusage/v1beta1/{OWN}/services/{api}.googleapis.com:generateServiceIdentity", {})
    return f"serviceAccount:{AGENTS[api]}"


@pytest.mark.parametrize("api", ["cloudtasks", "cloudscheduler", "secretmanager"])
def test_an_agent_is_there_once_it_was_asked_for(google: Client, api: str) -> None:
    email = account(google, "sms-tasks")
    path, member = f"iam/v1/{OWN}/serviceAccounts/{email}", f"serviceAccount:{AGENTS[api]}"
    status, answer = google.grant(path, TOKENS, member)
    assert (status, "does not exist" in message(answer)) == (400, True)
    assert google.grant(path, TOKENS, agent(google, api))[0] == 200


def test_a_job_calls_as_an_account_if_the_agent_may(google: Client) -> None:
    caller, received = account(google, "sms-scheduler"), []

    def answer(request: Received) -> int:
        received.append(request)
        return 204 if len(received) == 1 else 409

    with answering(answer) as address:
        token = {"serviceAccountEmail": caller, "audience": address}
        target = {"uri": f"{address}/tasks/tick", "httpMethod": "POST", "oidcToken": token}
        job = {"name": f"{PLACE}/jobs/sms-maintenance", "schedule": "* * * * *", "httpTarget": target}
        path = f"cloudscheduler/v1/{PLACE}/jobs"
        google.done("POST", path, job)

        def run() -> Any:
            return google.done("POST", f"{path}/sms-maintenance:run", {})["status"]

        assert run()["code"] == 7, "the agent holds nothing by itself"
        google.grant(f"iam/v1/{OWN}/serviceAccounts/{caller}", TOKENS, agent(google, "cloudscheduler"))
        settle(google)
        assert run() == {}
        headers = received[0].headers
        assert headers["X-CloudScheduler"] == "true"
        assert tokens.read(headers["Authorization"].removeprefix("Bearer "))["email"] == caller  # type: ignore[index]
        assert "409" in run()["message"], "a failed attempt"


def test_a_queue_calls_as_an_account_if_the_agent_may(google: Client) -> None:
    tasks, mint = account(google, "sms-tasks"), google.fake.cloud.mint
    assert mint("cloudtasks", tasks, "https://x") is None
    google.grant(f"iam/v1/{OWN}/serviceAccounts/{tasks}", TOKENS, agent(google, "cloudtasks"))
    settle(google)
    assert tokens.read(mint("cloudtasks", tasks, "https://x") or "")


# --- metrics -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "status"), [("", 400), ('{why="x"}', 400), ('{monitored_resource="cloud_run_revision"}', 200)]
)
def test_a_query_on_a_log_metric_names_its_resource(google: Client, selector: str, status: int) -> None:
    query = f"sum(increase(logging_googleapis_com:user_sms_sends{selector}[1h])) > 0"
    condition = {"displayName": "c", "conditionPrometheusQueryLanguage": {"query": query}}
    policy = {"displayName": "p", "combiner": "OR", "conditions": [condition]}
    assert google("POST", f"monitoring/v3/{OWN}/alertPolicies", policy)[0] == status
    chart = {"dataSets": [{"timeSeriesQuery": {"prometheusQuery": query}}]}
    assert (
        google("POST", f"monitoring/v1/{OWN}/dashboards", {"displayName": "d", "tiles": [{"xyChart": chart}]})[0]
        == status
    )


# --- the deployer --------------------------------------------------------------------------------------------------------


def test_a_deployer_is_held_to_the_documented_roles(google: Client) -> None:
    google.fake.cloud.deployer = deployer.documented()
    assert google("POST", f"{SECRETS}?secretId=key", REPLICATION, "fake")[0] == 200
    status, answer = google("GET", f"{SECRETS}/key/versions/1:access", None, "fake")
    assert (status, "secretmanager.versions.access" in message(answer)) == (403, True)


def test_the_deployers_own_roles_act_late(google: Client) -> None:
    google.fake.cloud.deployer = deployer.documented()
    google.done("POST", "_fake/switch", {"late_roles": 1})
    assert google("POST", f"{SECRETS}?secretId=key", REPLICATION, "fake")[0] == 403
    assert google("POST", f"{SECRETS}?secretId=key", REPLICATION, "fake")[0] == 200


def test_each_missing_permission_is_refused_by_name(google: Client) -> None:
    google.fake.cloud.deployer = frozenset({"cloudtasks.queues.get"})
    status, answer = google("POST", QUEUES, {"name": f"{PLACE}/queues/q"}, "fake")
    assert (status, "cloudtasks.queues.create" in message(answer)) == (403, True)
