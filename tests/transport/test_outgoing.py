"""Calls to addresses that callers chose: public ones only, whatever a name resolves to, and what was checked is what is called."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_connector.errors import ErrorKind, NotSent
from sms_connector.local.clock import SystemClock
from sms_connector.transport.http import HttpRequest, WireError
from sms_connector.transport.outgoing import OUTGOING, GuardedResolver, Resolved, is_public
from sms_connector.transport.session import HttpTransport
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.clocks import FakeClock
from tests.fixtures.functions import Received, answering


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00:ec2::254", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d70e", True),
        ("2002:7f00:1::", False),
        ("2001:db8::1", False),
        ("fec0::1", False),  # site-local
        ("64:ff9b:1::a00:1", False),  # the local NAT64 prefix: what it reaches is the operator's choice
        ("::10.0.0.1", False),  # IPv4-compatible
        ("::7f00:1", False),
        ("::93.184.215.14", True),
        ("::ffff:0:127.0.0.1", False),  # IPv4-translated
        ("5f00::1", False),  # segment routing
        ("3fff::1", False),  # documentation
        ("192.0.0.8", False),  # protocol assignments
        ("192.88.99.1", False),  # former 6to4 relays
        ("199.36.153.8", False),  # private.googleapis.com
        ("199.36.153.6", False),  # restricted.googleapis.com
        ("199.36.153.1", True),
    ],
)
def test_only_public_addresses_are_called(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_an_address_in_another_dress_is_the_same_address(address: Any) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::", "::", "::ffff:0:0:0"):
        dressed = str(ip_address(int(ip_address(prefix)) + int(address)))
        assert is_public(ip_address(dressed)) is is_public(address)


def resolving(*addresses: str) -> Any:
    def resolve(host: str, port: int) -> list[Resolved]:
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, (each, port)) for each in addresses]

    return resolve


@pytest.mark.parametrize(
    ("allowed", "host", "addresses", "called"),
    [
        pytest.param([], "crm.example", ["93.184.215.14"], ["93.184.215.14"], id="public"),
        pytest.param([], "crm.example", ["10.0.0.1"], None, id="a name that leads inside"),
        pytest.param([], "crm.example", ["93.184.215.14", "10.0.0.1"], ["93.184.215.14"], id="the public one of two"),
        pytest.param([], "fe80::1%eth0", ["fe80::1%eth0"], None, id="with a zone"),
        pytest.param(["crm.internal"], "crm.internal", ["10.0.0.1"], ["10.0.0.1"], id="a host by name"),
        pytest.param(["crm.internal"], "CRM.internal.", ["10.0.0.1"], ["10.0.0.1"], id="however it is written"),
        pytest.param(["crm.internal"], "x.crm.internal", ["10.0.0.1"], None, id="another host"),
        pytest.param(["*.internal"], "crm.internal", ["10.0.0.1"], ["10.0.0.1"], id="by its domain"),
        pytest.param(["*.internal"], "internal", ["10.0.0.1"], None, id="the domain itself"),
        pytest.param(["*.internal"], "evilinternal", ["10.0.0.1"], None, id="a name that ends alike"),
        pytest.param(["10.1.0.0/16"], "crm.example", ["10.1.9.9"], ["10.1.9.9"], id="by its network"),
        pytest.param(["10.1.0.0/16"], "crm.example", ["10.2.0.1"], None, id="another network"),
        pytest.param(["127.0.0.1"], "localhost", ["127.0.0.1", "::1"], ["127.0.0.1"], id="by its address"),
        pytest.param(["::1"], "localhost", ["127.0.0.1", "::1"], ["::1"], id="of the sixth version"),
    ],
)
def test_private_hosts_only_where_they_are_allowed(
    allowed: Sequence[str], host: str, addresses: Sequence[str], called: Sequence[str] | None
) -> None:
    resolver = GuardedResolver(allowed, resolving(*addresses))
    if called is None:
        with pytest.raises(WireError) as refused:
            resolver(host, 443)
        assert (refused.value.kind, refused.value.written, refused.value.again) == (
            ErrorKind.NOT_PERMITTED,
            False,
            False,
        )
        assert "SMS_CALLBACK_PRIVATE_HOSTS" in refused.value.what
    else:
        assert [each[1][0] for each in resolver(host, 443)] == called


@pytest.fixture
def received() -> list[Received]:
    return []


@pytest.fixture
def inside(received: list[Received]) -> Iterator[str]:
    """A server inside our own network."""

    def answer(request: Received) -> int:
        received.append(request)
        return 204

    with answering(answer) as url:
        yield url


def post(url: str, allowed: Sequence[str] = (), resolve: Any = None) -> int:
    guard = GuardedResolver(allowed, *([resolve] if resolve else []))
    transport = HttpTransport(OUTGOING, clock=SystemClock(), secrets=CannedSecrets({}), resolve=guard)
    return transport.send(HttpRequest("POST", url, {}, b"{}", repeatable=True)).status


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"])
def test_a_server_inside_is_never_reached_however_it_is_named(inside: str, received: list[Received], host: str) -> None:
    port = inside.rpartition(":")[2]
    with pytest.raises(NotSent) as refused:
        post(f"http://{host}:{port}/")
    assert refused.value.kind is ErrorKind.NOT_PERMITTED
    assert received == []


def test_one_that_is_allowed_is(inside: str, received: list[Received]) -> None:
    assert post(inside + "/results", ["127.0.0.1"]) == 204
    assert [request.path for request in received] == ["/results"]


def test_a_name_that_changes_its_answer_gains_nothing(inside: str, received: list[Received]) -> None:
    """It is asked once, and what it said is what is connected to."""
    port, asked = int(inside.rpartition(":")[2]), []

    def rebinding(host: str, _port: int) -> list[Resolved]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) > 1 else "203.0.113.1"
        return [(socket.AF_INET, (address, port))]

    with pytest.raises(NotSent):
        post(f"http://rebind.example:{port}/", resolve=rebinding)
    assert (asked, received) == (["rebind.example"], [])


def test_a_failure_is_one_attempt() -> None:
    """Repetitions are the queue's: one attempt is one request."""
    seen: list[Received] = []

    def refuse(request: Received) -> int:
        seen.append(request)
        return 500

    with answering(refuse) as url, pytest.raises(NotSent):
        post(url, ["127.0.0.1"])
    assert len(seen) == 1


def test_connections_to_many_hosts_are_bounded_and_close_when_idle() -> None:
    """Each caller's `callbackUrl` is a destination of its own: their connections must not pile up."""
    server = socket.create_server(("127.0.0.1", 0), backlog=100)
    accepted: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            accepted.append(peer)
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    clock = FakeClock()
    transport = HttpTransport(OUTGOING, clock=clock, secrets=CannedSecrets({}), resolve=resolving("127.0.0.1"))
    port = server.getsockname()[1]
    try:
        for number in range(2 * OUTGOING.max_pools):
            transport.send(HttpRequest("POST", f"http://t{number}.example:{port}/cb", {}, b"{}", repeatable=True))
        assert sum(map(is_open, accepted)) == OUTGOING.max_pools
        clock.sleep(OUTGOING.max_idle + 1)
        transport.send(HttpRequest("POST", f"http://last.example:{port}/cb", {}, b"{}", repeatable=True))
        assert sum(map(is_open, accepted)) == 1
    finally:
        transport.close()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        for peer in accepted:
            peer.close()


def is_open(peer: socket.socket) -> bool:
    """Say whether the other end still holds the connection: a closed one reads as its end."""
    peer.setblocking(False)
    try:
        return peer.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
