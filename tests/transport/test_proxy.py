"""Proxies: every SSL mode with every destination, every scheme of credentials, and the oddities of real ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.app.startup_checks import transport_problems
from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown
from sms_connector.settings import Settings
from sms_connector.settings_values import proxy_address
from sms_connector.transport.settings import ProxyAuth, ProxySettings, ProxySsl
from tests.transport.conftest import Authority, Bench, MakeBench
from tests.transport.fake_proxy import FakeProxy
from tests.transport.raw_server import CREATED, Peer, RawServer, answering, answering_once, serving

SECRETS = {"proxy-username": "ann", "proxy-password": "pass:word"}


@pytest.fixture
def plain() -> Iterator[RawServer]:
    with serving(answering(CREATED)) as server:
        yield server


@pytest.fixture
def secure(authority: Authority) -> Iterator[RawServer]:
    with serving(answering(CREATED), context=authority.server_context()) as server:
        yield server


@pytest.fixture
def through(make_bench: MakeBench, authority: Authority) -> Any:
    """A bench behind a proxy on this port."""

    def make(port: int, auth: str = "none", ssl: str = "auto", **more: Any) -> Bench:
        proxy = ProxySettings("127.0.0.1", port, ProxyAuth(auth), ProxySsl(ssl))
        secrets = more.pop("secrets", [SECRETS])
        return make_bench(proxy=proxy, ca_file=authority.ca_file, secrets=secrets, **more)

    return make


# (mode, destination, TLS to the proxy, what the proxy reads first)
MODES = [
    ("auto", "plain", False, "POST http://"),
    ("auto", "secure", False, "CONNECT 127.0.0.1:"),
    ("never", "plain", False, "POST http://"),
    ("tunnel", "plain", False, "CONNECT 127.0.0.1:"),
    ("tunnel", "secure", False, "CONNECT 127.0.0.1:"),
    ("always", "plain", True, "POST http://"),
    ("always", "secure", True, "CONNECT 127.0.0.1:"),
]


@pytest.mark.parametrize(("mode", "destination", "tls", "first"), MODES)
@pytest.mark.parametrize("auth", ["none", "basic", "digest"])
def test_each_mode_with_each_destination(
    request: pytest.FixtureRequest, through: Any, authority: Authority, *, mode: str, destination: str, tls: bool,
    first: str, auth: str,
) -> None:  # fmt: skip
    server = request.getfixturevalue(destination)
    script = FakeProxy(auth)
    with serving(script, context=authority.server_context() if tls else None) as proxy:
        bench = through(proxy.port, auth, mode)
        for _ in range(3):
            assert bench.post(server.url + "/Messages.json?a=1").status == 201
    assert script.heads[0].startswith(first)
    tunnelled = first.startswith("CONNECT")
    assert len(server.requests) == (3 if tunnelled else 0), "a forwarding proxy of this test answers by itself"
    assert bench.gates == bench.gates[:3], "a handshake with the proxy is no transaction of the provider's"
    if tunnelled:
        assert b"roxy" not in server.requests[0], "the destination sees nothing of the proxy"
        assert "secret+words" not in "".join(script.heads)


def test_never_refuses_an_https_destination(through: Any, secure: RawServer) -> None:
    script = FakeProxy()
    with serving(script) as proxy, pytest.raises(NotSent, match="use auto or tunnel") as caught:
        through(proxy.port, ssl="never").post(secure.url)
    assert caught.value.kind is ErrorKind.UNSUPPORTED
    assert script.heads == []


def test_what_cant_be_safe_is_told_at_the_start() -> None:
    settings = Settings(proxy_url=("proxy.test", 3128), proxy_ssl=ProxySsl.NEVER)
    assert "SMS_PROXY_SSL=never" in transport_problems(settings)[0]
    assert "SMS_PROXY_SSL=never" in transport_problems(replace(settings, provider_url="https://api.test"))[0]
    assert transport_problems(replace(settings, provider_url="http://api.test")) == []


PROXY_URLS = [
    ("http://proxy.test:3128", ("proxy.test", 3128)),
    ("http://[::1]:3128/", ("::1", 3128)),
]


@pytest.mark.parametrize(("url", "expected"), PROXY_URLS)
def test_a_proxy_url(url: str, expected: tuple[str, int]) -> None:
    assert proxy_address(url) == expected


BAD_PROXY_URLS = [
    ("https://proxy.test:3128", "SMS_PROXY_SSL=always", "TLS to the proxy is a mode"),
    ("http://ann:pw@proxy.test:3128", "proxy-username", "credentials are secrets"),
    ("http://proxy.test", "http://host:port", "no port: there is no usual one"),
    ("http://proxy.test:3128/path", "nothing after the port", "a path means nothing"),
    ("proxy.test:3128", "http://host:port", "no scheme"),
]


@pytest.mark.parametrize(("url", "fix"), [row[:2] for row in BAD_PROXY_URLS], ids=[row[2] for row in BAD_PROXY_URLS])
def test_a_proxy_url_that_is_none(url: str, fix: str) -> None:
    with pytest.raises(ValueError, match=fix) as caught:
        proxy_address(url)
    assert "pw" not in str(caught.value)


# --- digest -----------------------------------------------------------------------------------------------------------

DIGESTS: list[tuple[str, FakeProxy]] = [
    ("MD5", FakeProxy("digest")),
    ("MD5-sess", FakeProxy("digest", algorithm="MD5-sess")),
    ("SHA-256", FakeProxy("digest", algorithm="SHA-256")),
    ("SHA-512", FakeProxy("digest", algorithm="SHA-512")),
    ("no algorithm named: MD5", FakeProxy("digest", algorithm=None)),
    ("RFC 2069: no qop", FakeProxy("digest", qop=None)),
    ("a choice of qop", FakeProxy("digest", qop="auth-int, auth")),
    ("closes after its challenge", FakeProxy("digest", close_on_challenge=True)),
    ("basic is offered first", FakeProxy("digest", other_challenges=('Basic realm="lab"',))),
    ("all in one line", FakeProxy("digest", other_challenges=('Negotiate, Basic realm="a, b"',))),
    (
        "a digest we don't know comes first",
        FakeProxy("digest", other_challenges=('Digest realm="the lab", nonce="x", algorithm=SHA-512-256',)),
    ),
    ("each nonce is good for one use", FakeProxy("digest", uses_per_nonce=1)),
]


@pytest.mark.parametrize("script", [row[1] for row in DIGESTS], ids=[row[0] for row in DIGESTS])
@pytest.mark.parametrize("destination", ["plain", "secure"])
def test_digest(request: pytest.FixtureRequest, through: Any, script: FakeProxy, destination: str) -> None:
    server = request.getfixturevalue(destination)
    with serving(script) as proxy:
        bench = through(proxy.port, "digest")
        for _ in range(3):
            assert bench.post(server.url + "/Messages.json").status == 201
            bench.transport.close()


def test_a_known_nonce_is_told_without_being_asked(through: Any, secure: RawServer) -> None:
    """One challenge, then each new tunnel counts on: 1, 2, 3."""
    script = FakeProxy("digest")
    with serving(script) as proxy:
        bench = through(proxy.port, "digest")
        for _ in range(3):
            bench.post(secure.url)
            bench.transport.close()
    assert len(script.heads) == 4
    assert [found["nc"] for found in script.accepted] == ["00000001", "00000002", "00000003"]
    assert {found["nonce"] for found in script.accepted} == {"n0"}
    assert len({found["cnonce"] for found in script.accepted}) == 3


def test_many_threads_never_use_a_nonce_out_of_turn(through: Any, plain: RawServer) -> None:
    """This proxy calls every count that is not the next one stale, as squid does with nonce_strictness on."""
    script = FakeProxy("digest")
    statuses: list[int] = []
    with serving(script) as proxy:
        bench = through(proxy.port, "digest", read_timeout=5.0)

        def call() -> None:
            statuses.extend(bench.post(plain.url).status for _ in range(10))

        threads = [threading.Thread(target=call) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [201] * 160
    challenged = len(script.heads) - len(script.accepted)
    assert challenged <= 16, "one challenge for each exchange that ran beside others, and none after"


def test_a_password_that_was_rotated_is_read_anew(through: Any, secure: RawServer) -> None:
    for auth in ("basic", "digest"):
        with serving(FakeProxy(auth)) as proxy:
            bench = through(proxy.port, auth, secrets=[SECRETS | {"proxy-password": "old"}, SECRETS])
            assert bench.post(secure.url).status == 201
            assert bench.vault.refreshed == 1


@pytest.mark.parametrize("auth", ["basic", "digest"])
@pytest.mark.parametrize("destination", ["plain", "secure"])
def test_a_wrong_password_is_tried_once(
    request: pytest.FixtureRequest, through: Any, auth: str, destination: str
) -> None:
    """Proxies lock accounts; the message names the place of the secret and neither of its values."""
    server, script = request.getfixturevalue(destination), FakeProxy(auth)
    with serving(script) as proxy:
        bench = through(proxy.port, auth, secrets=[SECRETS | {"proxy-password": "wr0ng"}], attempts=4)
        with pytest.raises(NotSent, match=r"/secrets/proxy-username and /secrets/proxy-password") as caught:
            bench.post(server.url)
    assert caught.value.kind is ErrorKind.AUTHENTICATION
    assert "ann" not in str(caught.value)
    assert "wr0ng" not in str(caught.value)
    assert len(script.heads) == (1 if auth == "basic" else 2)
    assert bench.vault.refreshed == 1
    assert len(bench.gates) == 1


def test_a_proxy_that_calls_every_nonce_stale_is_given_up(through: Any, secure: RawServer) -> None:
    script = FakeProxy("digest", uses_per_nonce=0)
    with serving(script) as proxy, pytest.raises(NotSent, match="own nonces stale"):
        through(proxy.port, "digest").post(secure.url)
    assert len(script.heads) == 4


# (proxy's scheme, ours, what the message says)
MISMATCHES = [
    (FakeProxy("basic"), "none", "set SMS_PROXY_AUTH"),
    (FakeProxy("digest"), "none", "set SMS_PROXY_AUTH"),
    (FakeProxy("digest"), "basic", "asks for Digest, not basic"),
    (FakeProxy("basic"), "digest", "asks for Basic, none a digest we speak"),
    (FakeProxy("digest", qop="auth-int"), "digest", "none a digest we speak"),
]


@pytest.mark.parametrize(("script", "auth", "fix"), MISMATCHES)
def test_a_scheme_that_does_not_match(through: Any, secure: RawServer, script: FakeProxy, auth: str, fix: str) -> None:
    with serving(script) as proxy, pytest.raises(NotSent, match=fix) as caught:
        through(proxy.port, auth).post(secure.url)
    assert caught.value.kind is ErrorKind.AUTHENTICATION


@pytest.mark.parametrize("auth", ["basic", "digest"])
def test_credentials_that_are_missing(through: Any, secure: RawServer, auth: str) -> None:
    with serving(FakeProxy(auth)) as proxy, pytest.raises(NotSent, match="put them at /secrets/proxy-username"):
        through(proxy.port, auth, secrets=[{}]).post(secure.url)


@pytest.mark.parametrize("username", ["ann\r\nX: y", "a:nn"])
@pytest.mark.parametrize("auth", ["basic", "digest"])
def test_a_user_name_that_would_break_the_header(through: Any, secure: RawServer, auth: str, username: str) -> None:
    script = FakeProxy(auth)
    with serving(script) as proxy, pytest.raises(NotSent, match="correct /secrets/proxy-username"):
        through(proxy.port, auth, secrets=[SECRETS | {"proxy-username": username}]).post(secure.url)
    assert script.accepted == []


@pytest.mark.parametrize("auth", ["basic", "digest"])
@pytest.mark.parametrize("destination", ["plain", "secure"])
def test_names_and_passwords_in_any_script(
    request: pytest.FixtureRequest, through: Any, auth: str, destination: str
) -> None:
    server, secrets = request.getfixturevalue(destination), {"proxy-username": "José日", "proxy-password": "grün"}
    with serving(FakeProxy(auth, username="José日", password="grün")) as proxy:
        assert through(proxy.port, auth, secrets=[secrets]).post(server.url).status == 201


@pytest.mark.parametrize("auth", ["basic", "digest"])
@pytest.mark.parametrize("username", [r"CORP\svc", 'a"nn', r"\\", '\\"'])
def test_a_user_name_that_a_quoted_string_escapes(through: Any, secure: RawServer, auth: str, username: str) -> None:
    """Windows domains have names with a backslash (npm/cli#7150); the realm may hold the same characters."""
    script = FakeProxy(auth, username=username, realm=r'the "inner\outer" lab')
    with serving(script) as proxy:
        assert (
            through(proxy.port, auth, secrets=[SECRETS | {"proxy-username": username}]).post(secure.url).status == 201
        )


# --- a tunnel that never stands ---------------------------------------------------------------------------------------

NO_TUNNEL = [
    ("the proxy's rules", FakeProxy(status_after="403 Forbidden"), 1, "allow CONNECT"),
    ("the destination is not there", FakeProxy(status_after="503 Unavailable"), 3, "answer was 503"),
    ("the destination is slow", FakeProxy(status_after="504 Timeout"), 3, "answer was 504"),
    ("closes without a word", lambda peer: None, 3, "opened no tunnel"),
    ("not a proxy", answering_once(b"SSH-2.0\r\n"), 3, "opened no tunnel"),
    ("says nothing", lambda peer: Peer.wait_for_end(peer), 3, "opened no tunnel"),
]


@pytest.mark.parametrize(
    ("script", "attempts", "what"), [row[1:] for row in NO_TUNNEL], ids=[row[0] for row in NO_TUNNEL]
)
def test_a_tunnel_that_never_stands_is_not_sent(
    through: Any, secure: RawServer, script: Any, attempts: int, what: str
) -> None:
    with serving(script) as proxy:
        bench = through(proxy.port, attempts=3, connect_timeout=0.5)
        with pytest.raises(NotSent, match=what):
            bench.post(secure.url)
    assert len(bench.gates) == attempts
    assert secure.requests == []


def test_a_loss_inside_the_tunnel_is_unknown(through: Any, authority: Authority) -> None:
    def reset(peer: Peer) -> None:
        peer.read_request()
        peer.reset()

    with (
        serving(reset, context=authority.server_context()) as server,
        serving(FakeProxy()) as proxy,
        pytest.raises(OutcomeUnknown),
    ):
        through(proxy.port).post(server.url)


def test_a_loss_while_a_proxy_forwards_is_unknown(through: Any) -> None:
    def reset(peer: Peer) -> None:
        peer.read_request()
        peer.reset()

    with serving(reset) as proxy, pytest.raises(OutcomeUnknown):
        through(proxy.port).post("http://api.test/Messages.json")


def test_a_certificate_is_checked_inside_the_tunnel_too(through: Any, authority: Authority) -> None:
    context = authority.server_context("other.test")
    with serving(answering(CREATED), context=context) as server, serving(FakeProxy()) as proxy:
        with pytest.raises(NotSent, match="certificate not accepted"):
            through(proxy.port).post(server.url)
        assert server.requests == []


def test_names_are_left_to_the_proxy(through: Any) -> None:
    """Inside a company only the proxy may know the world's names."""
    script = FakeProxy(status_after="502 Bad Gateway")
    with serving(script) as proxy, pytest.raises(NotSent, match="answer was 502"):
        through(proxy.port).post("https://api.only-outside.test/")
    assert script.heads[0].startswith(
        "CONNECT api.only-outside.test:443 HTTP/1.1\r\nHost: api.only-outside.test:443\r\n"
    )
