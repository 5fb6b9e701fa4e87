from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sandbox import AdminClient, Options, Sandbox
from sandbox.client import AdminCallError
from sandbox.faults import FaultPlan, Kind
from sandbox.wire import Request
from tests.sandbox.support import BASE, Api

MESSAGES = f"{BASE}/Messages.json"


def post(api: Api, fault: str) -> requests.Response:
    return api.create(headers={"X-Sandbox-Fault": fault})


def raises(kind: type[Exception]) -> Callable[[Api, str], None]:
    def check(api: Api, fault: str) -> None:
        with pytest.raises(kind):
            post(api, fault)

    return check


def answers(status: int, headers: Mapping[str, str] | None = None) -> Callable[[Api, str], None]:
    def check(api: Api, fault: str) -> None:
        answer = post(api, fault)
        assert answer.status_code == status
        assert answer.json()["status"] == status
        assert {name: answer.headers.get(name) for name in headers or {}} == (headers or {})

    return check


def no_retry_after(status: int) -> Callable[[Api, str], None]:
    def check(api: Api, fault: str) -> None:
        answer = post(api, fault)
        assert answer.status_code == status
        assert "Retry-After" not in answer.headers

    return check


def unreadable(api: Api, fault: str) -> None:
    answer = api.session.post(
        api.url + MESSAGES,
        data={"To": "+15558675310", "From": "+15017122661", "Body": "x"},
        headers={"X-Sandbox-Fault": fault},
        timeout=5,
    )
    assert answer.status_code == 201
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def normal(api: Api, fault: str) -> None:
    assert post(api, fault).json()["status"] == "queued"


SEEN: list[tuple[str, Callable[[Api, str], None], int, int | None]] = [
    ("reset_after_accept", raises(requests.ConnectionError), 1, None),
    ("5xx_after_accept", no_retry_after(500), 1, 500),
    ("5xx_after_accept; status=503", no_retry_after(503), 1, 503),
    ("5xx_after_accept; status=502", answers(502), 1, 502),
    ("unreadable_2xx", unreadable, 1, 201),
    ("unreadable_2xx; variant=html", unreadable, 1, 201),
    ("unreadable_2xx; variant=empty", unreadable, 1, 201),
    ("unreadable_2xx; variant=short", raises(requests.exceptions.ChunkedEncodingError), 1, None),
    ("slow; seconds=0.01", normal, 1, 201),
    ("timeout_after_accept; seconds=0.01", normal, 1, 201),
    ("reset_before_accept", raises(requests.ConnectionError), 0, None),
    ("refuse_connection; seconds=0.01", raises(requests.ConnectionError), 0, None),
    ("429", answers(429, {"Retry-After": "1", "Twilio-Concurrent-Requests": "1"}), 0, 429),
    ("429; seconds=2.5", answers(429, {"Retry-After": "3"}), 0, 429),
    ("503_retry_after; seconds=7", answers(503, {"Retry-After": "7"}), 0, 503),
    ("500_before_accept", no_retry_after(500), 0, 500),
]


@pytest.mark.parametrize(("fault", "check", "accepted", "status"), SEEN, ids=[row[0] for row in SEEN])
def test_what_a_client_sees_and_what_was_processed(
    sandbox: Sandbox, fault: str, check: Callable[[Api, str], None], accepted: int, status: int | None
) -> None:
    # Without the documents: what a fault answers is in none of them.
    check(Api(sandbox.url, None), fault)
    admin = sandbox.admin
    assert len(admin.messages()) == accepted
    kind = fault.partition(";")[0]
    assert [(entry["fault"], entry["status"]) for entry in admin.journal()] == [(kind, status)]


def test_every_kind_is_witnessed() -> None:
    assert {fault.partition(";")[0] for fault, *_ in SEEN} == set(Kind)


def test_a_reset_is_a_reset_on_the_wire(sandbox: Sandbox) -> None:
    host, port = urlsplit(sandbox.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        head = f"GET {BASE}/Balance.json HTTP/1.1\r\nHost: x\r\nX-Sandbox-Fault: reset_before_accept\r\n\r\n"
        connection.sendall(head.encode())
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_short_body_announces_more_than_it_has(sandbox: Sandbox, api: Api) -> None:
    credentials = requests.Request("GET", "http://x", auth=api.session.auth).prepare().headers["Authorization"]
    host, port = urlsplit(sandbox.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        head = f"GET {BASE}/Balance.json HTTP/1.1\r\nHost: x\r\nAuthorization: {credentials}\r\n"
        connection.sendall(f"{head}X-Sandbox-Fault: unreadable_2xx; variant=short\r\n\r\n".encode())
        data = b"".join(iter(lambda: connection.recv(65_536), b""))
    headers, _, body = data.partition(b"\r\n\r\n")
    announced = int(headers.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert len(body) == announced - 7


def test_a_timeout_holds_until_the_client_gives_up(sandbox: Sandbox, api: Api) -> None:
    with pytest.raises(requests.ReadTimeout):
        api.session.post(
            api.url + MESSAGES,
            data={"To": "+15558675310", "From": "+15017122661", "Body": "x"},
            headers={"X-Sandbox-Fault": "timeout_after_accept"},
            timeout=0.1,
        )
    assert len(sandbox.admin.messages()) == 1
    assert [entry["status"] for entry in sandbox.admin.journal()] == [None]


def test_a_refused_connection_cuts_the_open_ones_and_opens_again(sandbox: Sandbox) -> None:
    idle, striker = Api(sandbox.url, None), Api(sandbox.url, None)
    idle.create()
    with pytest.raises(requests.ConnectionError):
        post(striker, "refuse_connection; seconds=0.3")
    with pytest.raises(requests.ConnectionError):
        idle.session.get(sandbox.url, timeout=5)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port or 0), timeout=5)
    assert len(sandbox.admin.messages()) == 1


def test_a_fault_nobody_knows_is_told(api: Api) -> None:
    for fault, word in (("bad luck", "timeout_after_accept"), ("slow; seconds=long", "numbers are needed")):
        answer = post(api, fault)
        assert answer.status_code == 400
        assert word in answer.text


def test_a_rule_strikes_a_number_of_matching_requests(api: Api, admin: AdminClient) -> None:
    admin.fault("500_before_accept", count=2, method="POST", path=r"/Messages\.json$")
    assert api.send("GET", MESSAGES).status_code == 200
    assert [api.create().status_code for _ in range(3)] == [500, 500, 201]
    assert admin.get("faults")[0]["struck"] == 2


def test_rules_are_taken_back(api: Api, admin: AdminClient) -> None:
    admin.fault("429")
    assert api.create().status_code == 429
    admin.clear_faults()
    assert api.create().status_code == 201


def test_the_header_comes_before_the_rules(api: Api, admin: AdminClient) -> None:
    admin.fault("429")
    assert post(api, "503_retry_after").status_code == 503


def test_the_admin_api_is_never_struck(admin: AdminClient) -> None:
    admin.fault("500_before_accept")
    assert admin.messages() == []


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        pytest.param({"kind": "bad luck"}, "kind", id="a kind nobody knows"),
        pytest.param({}, "kind", id="no kind"),
        pytest.param({"kind": "slow", "path": "("}, "fault rule", id="a pattern that is none"),
        pytest.param({"kind": "slow", "probability": "often"}, "fault rule", id="a chance in words"),
        pytest.param({"kind": "5xx_after_accept", "status": 404}, "status", id="a 4xx is no 5xx"),
        pytest.param({"kind": "slow", "seconds": "long"}, "numbers are needed", id="seconds in words"),
        pytest.param({"kind": "unreadable_2xx", "variant": "odd"}, "variant", id="a variant nobody knows"),
        pytest.param({"scenario": "some"}, "scenario", id="a scenario nobody knows"),
    ],
)
def test_rules_that_cannot_be_made(admin: AdminClient, rule: dict[str, Any], word: str) -> None:
    with pytest.raises(AdminCallError, match=word):
        admin.post("faults", rule)


def struck(seed: int, rule: Mapping[str, Any], requests_made: int = 2000) -> list[str | None]:
    plan = FaultPlan(seed)
    plan.add(rule)
    request = Request("POST", MESSAGES, "", b"", {})
    faults = [plan.pick(request) for _ in range(requests_made)]
    return [None if fault is None else fault.kind.value for fault in faults]


def test_chances_repeat_with_the_seed() -> None:
    rule = {"kind": "slow", "probability": 0.3}
    assert struck(1, rule) == struck(1, rule)
    assert struck(1, rule) != struck(2, rule)
    assert 0.25 < sum(kind is not None for kind in struck(1, rule)) / 2000 < 0.35


def test_the_scenario_of_everything() -> None:
    kinds = struck(1, {"scenario": "all", "probability": 0.05, "slow": 0.0})
    assert {kind for kind in kinds if kind} == set(Kind) - {Kind.SLOW}


def test_a_soak_of_every_fault_leaves_the_witness_exact() -> None:
    """Whatever the clients saw: each request that was let through is one message, each other one is none."""
    with Sandbox(Options(seed=5)) as sandbox:
        sandbox.admin.all_faults(0.05, method="POST", refuse_connection=0.005, seconds=0.02)

        def client(number: int) -> None:
            api = Api(sandbox.url, None)
            for count in range(25):
                with suppress(requests.RequestException):
                    api.create(Body=f"{number}/{count}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(client, range(8)))
        admin = sandbox.admin
        admin.clear_faults()
        let_through = [entry for entry in admin.journal() if processed(entry["fault"])]
        assert sorted(message["body"] for message in admin.messages()) == sorted(
            entry["form"]["Body"] for entry in let_through
        )
        assert len({entry["fault"] for entry in admin.journal()}) >= len(Kind) - 1


def processed(fault: str | None) -> bool:
    return fault is None or Kind(fault).lets_through
