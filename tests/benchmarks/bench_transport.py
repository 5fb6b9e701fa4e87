"""CPU per POST of the transport beside the clients it could have been built on. Ratios in one run, on one machine.

    PYTHONPATH=function:. python tests/benchmarks/bench_transport.py [calls per round]

The server is a loop over a raw socket in a process of its own, so its work is not counted; its answer is one of Twilio's in
size and headers. The rounds take turns, and each figure is the median of its rounds: a busy machine slows all of them.
`raw socket` writes a prepared request and reads once: what no client can go below.
"""

from __future__ import annotations

import http.client
import multiprocessing
import socket
import statistics
import sys
import time
from collections.abc import Callable

import requests
import urllib3

from sms_connector.local.clock import SystemClock
from sms_connector.ports import Secret
from sms_connector.transport.http import HttpRequest, Lane
from sms_connector.transport.session import HttpTransport
from sms_connector.transport.settings import TransportSettings

ROUNDS = 7
PATH = "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json"
BODY = b"To=%2B15558675310&From=%2B15551234567&Body=Hello+Ann%2C+order+A-1+ships+today."
HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
    "Authorization": "Basic QUMwMTIzOnRva2Vu",
    "User-Agent": "benchmark",
    "Accept-Encoding": "identity",
}
ANSWER_BODY = (
    b'{"sid": "SM0123456789abcdef0123456789abcdef", "status": "queued", "num_segments": "1", "error_code": null, '
    b'"to": "+15558675310", "from": "+15551234567", "date_created": "Thu, 24 Aug 2023 05:01:45 +0000", '
    b'"uri": "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/SM0123456789abcdef.json"}'
)
ANSWER = b"\r\n".join(
    (
        b"HTTP/1.1 201 CREATED",
        b"Content-Type: application/json;charset=utf-8",
        b"Content-Length: %d" % len(ANSWER_BODY),
        b"Connection: keep-alive",
        b"Date: Thu, 24 Aug 2023 05:01:45 GMT",
        b"Twilio-Concurrent-Requests: 1",
        b"Twilio-Request-Id: RQ0123456789abcdef0123456789abcdef",
        b"Twilio-Request-Duration: 0.090",
        b"X-Home-Region: us1",
        b"X-API-Domain: api.twilio.com",
        b"Strict-Transport-Security: max-age=31536000",
        b"",
        ANSWER_BODY,
    )
)

Call = Callable[[], object]


class NoSecrets:
    def get(self, name: str) -> Secret | None:
        return None

    def refresh(self) -> None:
        return

    def where(self, name: str) -> str:
        return name


def serve(listener: socket.socket) -> None:
    """Answers every request of every connection; one thread each."""
    from threading import Thread

    while True:
        sock, _ = listener.accept()
        Thread(target=_answer_all, args=(sock,), daemon=True).start()


def _answer_all(sock: socket.socket) -> None:
    buffer = b""
    with sock:
        while True:
            while b"\r\n\r\n" not in buffer or len(buffer.partition(b"\r\n\r\n")[2]) < len(BODY):
                data = sock.recv(65536)
                if not data:
                    return
                buffer += data
            buffer = buffer.partition(b"\r\n\r\n")[2][len(BODY) :]
            sock.sendall(ANSWER)


def make_transport(url: str, *, rest: float) -> Call:
    """`rest` 0 keeps one connection; the default spreads a single busy thread over several."""
    transport = HttpTransport(
        TransportSettings(rest=rest),
        clock=SystemClock(),
        gate=lambda lane, before_attempt=None: None,
        secrets=NoSecrets(),
    )
    headers = {name: value for name, value in HEADERS.items() if name != "Authorization"}
    authorization = HEADERS["Authorization"]
    return lambda: transport.send(HttpRequest("POST", url, headers, BODY, authorization=authorization, lane=Lane.SEND))


def make_session(url: str, *, trust_env: bool) -> Call:
    session = requests.Session()
    session.trust_env = trust_env
    return lambda: session.post(url, data=BODY, headers=HEADERS, timeout=(5, 15)).content


def make_urllib3(port: int) -> Call:
    pool = urllib3.HTTPConnectionPool("127.0.0.1", port)
    timeout = urllib3.Timeout(connect=5, read=15)
    return lambda: pool.urlopen("POST", PATH, body=BODY, headers=HEADERS, timeout=timeout, retries=False).data


def make_http_client(port: int) -> Call:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)

    def call() -> bytes:
        connection.request("POST", PATH, body=BODY, headers=HEADERS)
        return connection.getresponse().read()

    return call


def make_raw(port: int) -> Call:
    sock = socket.create_connection(("127.0.0.1", port))
    headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}Content-Length: {len(BODY)}\r\n\r\n"
    message = head.encode() + BODY

    def call() -> bytes:
        sock.sendall(message)
        return sock.recv(65536)

    return call


def measure(calls: int) -> dict[str, float]:
    """CPU microseconds per POST, by client."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    port = listener.getsockname()[1]
    server = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{port}{PATH}"
    clients = {
        "requests.Session": make_session(url, trust_env=True),
        "requests.Session, no environment": make_session(url, trust_env=False),
        "urllib3 pool": make_urllib3(port),
        "http.client": make_http_client(port),
        "our transport": make_transport(url, rest=TransportSettings().rest),
        "our transport, one connection": make_transport(url, rest=0.0),
        "raw socket": make_raw(port),
    }
    try:
        rounds = [{name: _time(call, calls) for name, call in clients.items()} for _ in range(ROUNDS)]
    finally:
        server.terminate()
        server.join()
    return {name: statistics.median(each[name] for each in rounds) for name in clients}


def _time(call: Call, calls: int) -> float:
    call()
    begun = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - begun) / calls * 1e6


def main() -> None:
    figures = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    ours = figures["our transport"]
    print(f"{'client':34} {'CPU µs per POST':>16} {'÷ ours':>8}")
    for name, figure in figures.items():
        print(f"{name:34} {figure:16.1f} {figure / ours:8.2f}")


if __name__ == "__main__":
    main()
