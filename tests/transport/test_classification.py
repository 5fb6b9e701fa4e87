"""Every way a call can end, and what the message's outcome then is: `sending.md` section 1, row by row."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from sms_connector.errors import CallError, ErrorKind, NotSent, OutcomeUnknown, PreconditionFailed
from sms_connector.local.clock import SystemClock
from sms_connector.transport.http import Verdict
from tests.transport.conftest import MakeBench, NotingClock
from tests.transport.raw_server import CREATED, Peer, RawServer, Script, answering, answering_once, serving

OK_HEAD = b"HTTP/1.1 201 Created\r\nContent-Length: 14\r\n"
TELLING_PATH = "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json?To=%2B15558675310"
LATER = formatdate(NotingClock().now + 7, usegmt=True).encode()


def close_unread(peer: Peer) -> None:
    peer.sock.shutdown(socket.SHUT_RDWR)


def reset_after_reading(peer: Peer) -> None:
    peer.read_request()
    peer.reset()


def close_after_reading(peer: Peer) -> None:
    peer.read_request()


def say_nothing(peer: Peer) -> None:
    peer.read_request()
    peer.wait_for_end()


def stop_in_the_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(OK_HEAD + b"\r\n{")
    peer.wait_for_end()


def reset_in_the_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(OK_HEAD + b"\r\n{")
    peer.reset()


def status(line: bytes, *headers: bytes) -> Script:
    return answering_once(
        b"\r\n".join([b"HTTP/1.1 " + line, b"Content-Length: 2", b"Connection: close", *headers, b"", b"{}"])
    )


# (script, the outcome of a send, its kind, why)
FAULTS: list[tuple[str, Script, type[CallError], ErrorKind]] = [
    ("closed before it read anything: our write succeeded", close_unread, OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME),
    ("reset after it read the request", reset_after_reading, OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME),
    ("closed after it read the request", close_after_reading, OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME),
    ("silence: read time-out", say_nothing, OutcomeUnknown, ErrorKind.TIMEOUT),
    ("silence in the middle of a 2xx", stop_in_the_body, OutcomeUnknown, ErrorKind.TIMEOUT),
    ("reset in the middle of a 2xx", reset_in_the_body, OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME),
    (
        "half a status line",
        answering_once(b"HTTP/1.1 20"),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    ("half the headers", answering_once(OK_HEAD), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME),
    (
        "a 2xx shorter than its length",
        answering_once(OK_HEAD + b'\r\n{"sid"'),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    (
        "a 2xx whose last chunk is missing",
        answering_once(b'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"sid\r\n'),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    (
        "a 2xx with a chunk size that is no number",
        answering_once(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    (
        "a 2xx with a length that is no number",
        answering_once(b"HTTP/1.1 201 Created\r\nContent-Length: many\r\n\r\n{}"),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    (
        "a 2xx with two lengths: nobody knows which",
        answering_once(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    (
        "a 2xx with a length and chunks: nobody knows which",
        answering_once(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    (
        "a 2xx with a header without a colon, and its length behind it",
        answering_once(b"HTTP/1.1 201 Created\r\nno header\r\nContent-Length: 9\r\n\r\n{}"),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    ("not HTTP at all", answering_once(b"SSH-2.0-OpenSSH_9.2\r\n"), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME),
    (
        "an upgrade nobody asked for",
        status(b"101 Switching", b"Upgrade: h2c"),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    (
        "a 2xx over the size limit",
        answering_once(b"HTTP/1.1 201 Created\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    (
        "headers without end",
        answering_once(b"HTTP/1.1 201 Created\r\n" + b"X-Filler: 0123456789\r\n" * 5000),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    (
        "a 2xx compressed into ruins",
        answering_once(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nruin"),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    (
        "a 2xx that grows over the limit when it is unpacked",
        answering_once(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b"0" * 1_000_000)
        ),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    ("500 says nothing about what was done", status(b"500 Oops"), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME),
    ("502: a gateway lost the answer", status(b"502 Bad Gateway"), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME),
    ("504: a gateway waited in vain", status(b"504 Timeout"), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME),
    ("503 alone does not say that it was not taken", status(b"503 Busy"), OutcomeUnknown, ErrorKind.UNKNOWN_OUTCOME),
    (
        "503 with a Retry-After nobody can read",
        status(b"503 Busy", b"Retry-After: soon"),
        OutcomeUnknown,
        ErrorKind.UNKNOWN_OUTCOME,
    ),
    ("503 with Retry-After in seconds", status(b"503 Busy", b"Retry-After: 7"), NotSent, ErrorKind.UNAVAILABLE),
    ("503 with Retry-After as a date", status(b"503 Busy", b"Retry-After: " + LATER), NotSent, ErrorKind.UNAVAILABLE),
    ("429: refused by rate", status(b"429 Slow down"), NotSent, ErrorKind.RATE_LIMITED),
    ("429 with Retry-After", status(b"429 Slow down", b"Retry-After: 7"), NotSent, ErrorKind.RATE_LIMITED),
    (
        "429 whose body ended early: the status line was enough",
        answering_once(b"HTTP/1.1 429 Slow down\r\nContent-Length: 100\r\n\r\n{"),
        NotSent,
        ErrorKind.RATE_LIMITED,
    ),
]


@pytest.mark.parametrize(("script", "error", "kind"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_on_a_send(make_bench: MakeBench, script: Script, error: type[CallError], kind: ErrorKind) -> None:
    bench = make_bench(max_response_bytes=4000, attempts=4)
    with serving(script) as server, pytest.raises(CallError) as caught:
        bench.post(
            server.url + "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json?To=%2B15558675310"
        )
    assert type(caught.value) is error
    assert caught.value.kind is kind
    assert len(bench.gates) == (1 if error is OutcomeUnknown else 4), "what may have been taken is never sent again"
    assert_tells_nothing(caught.value)


@pytest.mark.parametrize("script", [row[1] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_on_what_may_be_repeated(make_bench: MakeBench, script: Script) -> None:
    bench = make_bench(max_response_bytes=4000)
    with serving(script) as server, pytest.raises(NotSent):
        bench.get(server.url + "/Messages.json")


def said(line: bytes, body: bytes, *headers: bytes) -> Script:
    length = b"Content-Length: %d" % len(body)
    return answering_once(b"\r\n".join([b"HTTP/1.1 " + line, length, b"Connection: close", *headers, b"", body]))


# (what comes back, what the provider reads in it, attempts, whether it is returned)
VERDICTS: list[tuple[str, Script, Verdict | None, int, bool]] = [
    ("a final error in a 429", said(b"429 No", b"{}", b"Retry-After: 7"), Verdict.FINAL, 1, True),
    ("a final error in a 503", said(b"503 No", b"{}"), Verdict.FINAL, 1, True),
    ("a final error in a 500", said(b"500 No", b"{}"), Verdict.FINAL, 1, True),
    ("an error that asks to come later: repeated first", said(b"429 Slow down", b"{}"), Verdict.LATER, 3, True),
    ("no error in a 429: the status decides", said(b"429 Slow down", b"<html>"), None, 3, False),
    ("no error in a 500: unknown", said(b"500 Oops", b"<html>"), None, 1, False),
    (
        "a body that ended early is not read",
        answering_once(b"HTTP/1.1 429 No\r\nContent-Length: 99\r\n\r\n{"),
        Verdict.FINAL,
        3,
        False,
    ),
]


@pytest.mark.parametrize(
    ("script", "verdict", "attempts", "returned"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS]
)
def test_the_providers_own_error_counts_whatever_its_status(
    make_bench: MakeBench, script: Script, verdict: Verdict | None, attempts: int, returned: bool
) -> None:
    bench = make_bench(attempts=3)
    with serving(script) as server:
        if returned:
            assert bench.post(server.url, read_provider_error=lambda _: verdict).body == b"{}"
        else:
            with pytest.raises(CallError):
                bench.post(server.url, read_provider_error=lambda _: verdict)
    assert len(bench.gates) == attempts


def test_before_each_attempt_it_is_asked_whether_to_go_on(make_bench: MakeBench) -> None:
    bench = make_bench(attempts=4)

    def check() -> None:
        if len(bench.gates) == 3:
            raise PreconditionFailed("the recipient has opted out", kind=ErrorKind.OPTED_OUT)

    with (
        serving(said(b"429 Slow down", b"{}")) as server,
        pytest.raises(PreconditionFailed, match="the recipient has opted out"),
    ):
        bench.post(server.url, before_attempt=check)
    assert len(bench.gates) == 3, "the third attempt was not made"


ANSWERS: list[tuple[str, bytes, int, bytes]] = [
    ("created", CREATED, 201, b'{"sid": "SM1"}'),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200, b"{}"),
    ("ended by the end of the connection", b"HTTP/1.1 200 OK\r\n\r\n{}", 200, b"{}"),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}"),
    ("no reason phrase", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}"),
    ("announced by 100", b"HTTP/1.1 100 Continue\r\n\r\n" + CREATED, 201, b'{"sid": "SM1"}'),
    ("announced by 103", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + CREATED, 201, b'{"sid": "SM1"}'),
    ("bare line feeds", b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", 200, b"{}"),
    (
        "chunk sizes padded with spaces, a trailer",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\n{}\r\n0\r\nX: y\r\n\r\n",
        200,
        b"{}",
    ),
    ("more than its length", CREATED + b"garbage", 201, b'{"sid": "SM1"}'),
    (
        "compressed without being asked",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b"{}"),
        200,
        b"{}",
    ),
    ("a redirect is an answer", b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", 302, b""),
    ("a refusal", b'HTTP/1.1 400 Bad\r\nContent-Length: 14\r\n\r\n{"code":21211}', 400, b'{"code":21211}'),
    ("a refusal that ended early", b'HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\n{"code"', 400, b'{"code"'),
    ("a refusal compressed into ruins", b"HTTP/1.1 400 Bad\r\nContent-Encoding: gzip\r\n\r\nruin", 400, b""),
    ("our credentials refused", b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", 401, b""),
    ("a proxy's answer from no proxy", b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", 407, b""),
]


@pytest.mark.parametrize(("answer", "code", "body"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
@pytest.mark.parametrize("repeatable", [False, True])
def test_an_answer_is_returned(make_bench: MakeBench, answer: bytes, code: int, body: bytes, repeatable: bool) -> None:
    bench = make_bench(attempts=4)
    with serving(answering_once(answer)) as server:
        response = bench.post(server.url + "/Messages.json", repeatable=repeatable)
    assert (response.status, response.body) == (code, body)
    assert len(bench.gates) == 1


def test_an_answer_that_comes_byte_by_byte_is_read_whole(make_bench: MakeBench) -> None:
    def drip(peer: Peer) -> None:
        peer.read_request()
        for byte in CREATED:
            peer.send(bytes([byte]))

    with serving(drip) as server:
        assert make_bench().post(server.url).body == b'{"sid": "SM1"}'


def test_headers_are_lower_case_and_repeated_ones_are_joined(make_bench: MakeBench) -> None:
    answer = b"HTTP/1.1 200 OK\r\nX-Request-ID: a\r\nVia: b\r\nVIA: c\r\nContent-Length: 0\r\n\r\n"
    with serving(answering(answer)) as server:
        headers = make_bench().get(server.url).headers
    assert headers == {"x-request-id": "a", "via": "b, c", "content-length": "0"}


def test_head_has_no_body_whatever_its_length_says(make_bench: MakeBench) -> None:
    with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")) as server:
        assert make_bench().post(server.url, method="HEAD", body=None, repeatable=True).status == 200


def test_an_answer_given_before_the_request_was_read_counts(make_bench: MakeBench) -> None:
    """413: the server answers and closes while we write. Its answer is in our buffer, and it is the provider's."""

    def refuse_early(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        peer.sock.shutdown(socket.SHUT_WR)
        peer.wait_for_end()

    with serving(refuse_early) as server:
        assert make_bench().post(server.url, body=b"x" * 3_000_000).status == 413


def test_a_request_of_which_only_a_part_was_written_is_unknown(make_bench: MakeBench) -> None:
    def read_a_part(peer: Peer) -> None:
        peer.read_head()
        peer.reset()

    with serving(read_a_part) as server, pytest.raises(OutcomeUnknown):
        make_bench().post(server.url, body=b"x" * 8_000_000)


def test_a_drip_without_end_is_bounded_by_the_time_of_an_attempt(make_bench: MakeBench) -> None:
    """Each byte comes within the read time-out, and time for repetitions is no time for a drip: a lease covers an attempt."""
    bench = make_bench(clock=SystemClock(), connect_timeout=0.2, read_timeout=0.3, total_timeout=3600.0)

    def drip(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 201 Created\r\nX-Filler: ")
        while True:
            peer.send(b"x")
            SystemClock().sleep(0.05)

    with serving(drip) as server, pytest.raises(OutcomeUnknown) as caught:
        bench.post(server.url)
    assert caught.value.kind is ErrorKind.TIMEOUT


# --- before the request was written ----------------------------------------------------------------------------------


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def deaf_port() -> Iterator[int]:
    # --- before the request was written ----------------------------------------------------------------------------------
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(8)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    yield listener.getsockname()[1]
    for each in (*fillers, listener):
        each.close()


def find_nothing(host: str, port: int) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_refused_connection_is_not_sent(make_bench: MakeBench, closed_port: int) -> None:
    bench = make_bench(attempts=3)
    with pytest.raises(NotSent, match="Connection refused") as caught:
        bench.post(f"http://127.0.0.1:{closed_port}/")
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert len(bench.gates) == 3


def test_an_unknown_name_is_not_sent(make_bench: MakeBench) -> None:
    with pytest.raises(NotSent, match=r"name of api\.twilio\.test:443 was not found"):
        make_bench(resolve=find_nothing).post("https://api.twilio.test/")


def test_a_name_that_is_none_is_not_sent(make_bench: MakeBench) -> None:
    with pytest.raises(NotSent, match="host's name is not usable"):
        make_bench().post(f"http://{'a' * 64}.test/")


def test_a_connect_timeout_is_not_sent(make_bench: MakeBench, deaf_port: int) -> None:
    with pytest.raises(NotSent, match="in time") as caught:
        make_bench(connect_timeout=0.2).post(f"http://127.0.0.1:{deaf_port}/")
    assert caught.value.kind is ErrorKind.TIMEOUT


def test_the_next_address_is_tried_when_one_is_dead(make_bench: MakeBench, deaf_port: int, closed_port: int) -> None:
    """A name with a swallowed (IPv6, say) and a refused address is still reached at its third."""
    with serving(answering(CREATED)) as server:
        found = [(socket.AF_INET, ("127.0.0.1", port)) for port in (deaf_port, closed_port, server.port)]
        bench = make_bench(connect_timeout=0.6, resolve=lambda host, port: found)
        assert bench.post("http://many.test/").status == 201


UNUSABLE = [
    ("ftp://a.test/", "https://", "a scheme we don't speak"),
    ("/Messages.json", "https://", "no host"),
    ("http://user:pw@a.test/", "user and password", "credentials in it"),
    ("http://a.test/a b", "percent-encode", "a space splits the request line"),
    ("http://a.test/a\r\nX: y", "percent-encode", "a line end begins a header"),
    ("http://a.test/é", "percent-encode", "not ASCII"),
    ("http://a.test:none/", "host and port", "a port that is no number"),
    ("http://a.test:99999/", "host and port", "a port out of range"),
]


@pytest.mark.parametrize(("url", "fix"), [row[:2] for row in UNUSABLE], ids=[row[2] for row in UNUSABLE])
def test_a_url_that_cant_be_used_is_told_once(make_bench: MakeBench, url: str, fix: str) -> None:
    bench = make_bench(attempts=4)
    with pytest.raises(NotSent, match=fix) as caught:
        bench.post(url)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert "pw" not in str(caught.value)
    assert len(bench.gates) == 1, "asking again mends nothing"


HEADERS = [
    ({"X-A": "a\r\nX-B: b"}, "a header in a value"),
    ({"X-A": "a\r\n\r\nGET / HTTP/1.1"}, "a request in a value"),
    ({"X-A\r\nX-B": "b"}, "a header in a name"),
    ({"X-A": "a\nb"}, "a bare line feed"),
    ({"X-A": "a\rb"}, "a bare carriage return"),
    ({"X-A": "a\0b"}, "a zero byte"),
    ({"X-A": "日本"}, "beyond Latin-1"),
]


@pytest.mark.parametrize("headers", [row[0] for row in HEADERS], ids=[row[1] for row in HEADERS])
def test_a_header_can_begin_nothing_of_its_own(make_bench: MakeBench, headers: dict[str, str]) -> None:
    with serving(answering(CREATED)) as server, pytest.raises(NotSent, match="header holds"):
        make_bench().post(server.url, headers=headers)
    assert server.connections == 0


def test_what_goes_out(make_bench: MakeBench) -> None:
    """Framing and addressing are the transport's, whatever a provider says; other names go out as they are written."""
    given = {
        "webhook-id": "cb_1",
        "user-agent": "ours",
        "authorization": "none",
        "Content-Length": "1",
        "Host": "evil.test",
        "Transfer-Encoding": "chunked",
    }
    with serving(answering(CREATED)) as server:
        make_bench().post(server.url + "?a=1", body=b"Body=x", headers=given, authorization="Basic QUM=")
    assert server.requests[0].decode().split("\r\n") == [
        "POST /?a=1 HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "webhook-id: cb_1",
        "user-agent: ours",
        "Authorization: Basic QUM=",
        "Accept-Encoding: identity",
        "Content-Length: 6",
        "",
        "Body=x",
    ]


def assert_tells_nothing(error: BaseException) -> None:
    """No secret, no body, no whole number, no whole id, anywhere in the chain of exceptions."""
    chain: list[BaseException | None] = [error, error.__cause__, error.__context__]
    text = " ".join(f"{link!r} {link}" for link in chain if link is not None)
    for hidden in ("15558675310", "secret+words", "0123456789abcdef0123456789abcdef"):
        assert hidden not in text


def test_the_server_helper_serves(make_bench: MakeBench) -> None:
    """The tests above mean something only if the same request succeeds against a server without a fault."""
    with serving(answering(CREATED)) as server:
        assert isinstance(server, RawServer)
        assert make_bench().post(server.url + "/Messages.json").status == 201
