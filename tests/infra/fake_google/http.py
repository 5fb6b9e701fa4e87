"""The fake over HTTP: one port, each service below its own prefix, and the administration below `/_fake/`."""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.fixtures.certificates import Authority
from tests.infra.fake_google.catalog import NUMBER, PROJECT, REGION, SERVICES, Json
from tests.infra.fake_google.front_door import read_chunks
from tests.infra.fake_google.running import Runner
from tests.infra.fake_google.services import Cloud
from tests.infra.fake_google.traits import Switches
from tests.infra.fake_google.values import ApiError, Call, need, no_nulls, no_secrets, stamp


def config_of(base: str) -> Json:
    """Pulumi configuration that points the provider here."""
    urls = {
        f"{k}CustomEndpoint": f"{base}/{name}/{v}{'/' if v else ''}"
        for name, s in SERVICES.items()
        for k, v in s[1].items()
    }
    fixed = {
        "project": PROJECT,
        "region": REGION,
        "accessToken": "fake",
        "skipRegionValidation": "true",
        "pollInterval": "1s",
        "userProjectOverride": "false",
        "batching": json.dumps({"enableBatching": True, "sendAfter": "1s"}),
    }
    return {f"gcp:{k}": v for k, v in (fixed | urls).items()}


def env_of(base: str) -> str:
    """Shell exports that stop whatever would leave this machine, the provider's look-up of its own identity included."""
    local = "127.0.0.1,localhost"
    return "".join(
        f"export {k}={v}\n"
        for k, v in {
            "HTTPS_PROXY": base,
            "NO_PROXY": local,
            "no_proxy": local,
            "PULUMI_GCP_SKIP_REGION_VALIDATION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }.items()
    )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def serve(self) -> None:
        url, raw = urlsplit(self.path), self.read_body()
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path.startswith("/_fake/"):
            self.admin(url.path.removeprefix("/_fake/"), query, raw)
            return
        entry = self.note(url.path, query, raw)
        try:
            with self.cloud.lock:
                for fault in self.cloud.faults:
                    if fault["times"] > 0 and re.search(fault["match"], f"{self.command} {self.path}"):
                        fault["times"] -= 1
                        raise ApiError(fault.get("status", 503), fault.get("message", "injected fault"))
                answer = copy.deepcopy(self.cloud.handle(self.parse(url.path, query, raw)))
            status = 204 if answer == b"" else 200
        except ApiError as error:
            status, answer = error.code, error.answer
        except Exception as error:  # noqa: BLE001 - a bug of the fake must show as one, not as a broken connection
            status, answer = 500, ApiError(500, f"bug in the fake: {type(error).__name__}: {error}").answer
        entry |= {"status": status, "error": answer["error"]["message"] if status >= 400 else ""}
        self.send(status, answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 - the library's names

    def do_CONNECT(self) -> None:
        self.note(self.path, {}, b"")["status"] = 403
        self.send(403, {"error": f"the fake lets nothing out: {self.path}"})

    def read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return read_chunks(self.rfile)

    def parse(self, path: str, query: dict[str, str], raw: bytes) -> Call:
        segments = path.strip("/").split("/")
        if segments[0] == "upload":  # the storage client drops the prefix for uploads
            segments.insert(0, "storage")
        if segments[0] == "dns":  # and the DNS client too
            segments.insert(0, "clouddns")
        versions = SERVICES.get(segments[0], ("", {}, ()))[2]
        version = next((v for v in versions if "/".join(segments[1:]).startswith(v + "/")), "")
        need(version, 400, f"Unknown path: {path}")
        parts, verb = segments[2 + version.count("/") :], ""
        if segments[0] not in ("storage", "compute") and ":" in parts[-1]:
            parts[-1], _, verb = parts[-1].rpartition(":")
        keep = segments[0] in ("logging", "storage")  # whose names may hold slashes
        parts = [quote(unquote(p), safe="") if keep else unquote(p) for p in parts]
        if parts[0] == "projects" and parts[1:2] in ([NUMBER], ["-"]):
            parts[1] = PROJECT
        headers, body = {k.lower(): v for k, v in self.headers.items()}, {}
        if raw and headers.get("content-type", "").startswith("application/json"):
            try:
                body = dict(json.loads(raw, object_hook=None if segments[0] == "storage" else no_nulls))
            except (ValueError, TypeError):
                raise ApiError(400, "Invalid JSON payload received.") from None
        return Call(self.command, segments[0], version, parts, verb, query, body, raw, headers)

    def note(self, path: str, query: dict[str, str], raw: bytes) -> Json:
        try:
            body = json.loads(raw, object_hook=no_secrets) if raw else None
        except ValueError:
            body = f"<{len(raw)} bytes>"
        entry = {
            "time": stamp(),
            "method": self.command,
            "path": unquote(path),
            "query": query,
            "body": body,
            "status": 0,
            "error": "",
        }
        with self.cloud.lock:
            self.cloud.journal.append(entry)
        return entry

    def admin(self, what: str, query: dict[str, str], raw: bytes) -> None:
        cloud, base, body = self.cloud, f"http://{self.headers.get('Host')}", json.loads(raw or b"{}")
        with cloud.lock:
            if (self.command, what) == ("POST", "reset"):
                cloud.reset(body.get("strict", cloud.strict))
            elif (self.command, what) == ("POST", "switch"):
                cloud.switches = Switches(**{**vars(cloud.switches), **body})
            elif (self.command, what) == ("POST", "advance"):
                cloud.advance(float(body["seconds"]))
            elif (self.command, what) == ("POST", "fail"):
                cloud.faults = [{"times": 1, "match": re.compile(body["match"]).pattern} | body]
            calls = [e for e in cloud.journal if re.search(query.get("match", ""), f"{e['method']} {e['path']}")]
            answers: Json = {
                "config": config_of(base),
                "env": env_of(base),
                "resources": cloud.shown(),
                "grants": cloud.grants(),
            }
            state = {"strict": cloud.strict, "faults": cloud.faults, "switches": vars(cloud.switches)}
            answers |= {
                "requests": calls,
                "health": state,
                "reset": state,
                "fail": state,
                "switch": state,
                "advance": state,
            }
            answer = json.loads(json.dumps(answers.get(what)), object_hook=no_secrets)
        self.send(
            200 if answer is not None else 400, answer if answer is not None else {"error": f"unknown call {what}"}
        )

    def send(self, status: int, answer: Any) -> None:
        answer = answer.encode() if isinstance(answer, str) else answer
        plain = isinstance(answer, bytes)
        data = answer if plain else json.dumps(answer, indent=1).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if plain else "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class FakeGoogle:
    """A running fake: `cloud` is its state, `address` where it listens."""

    def __init__(self, *, port: int = 0, strict: bool = False) -> None:
        self.cloud = Cloud(strict)
        kind = type("Server", (ThreadingHTTPServer,), {"request_queue_size": 128})
        self._server: ThreadingHTTPServer = kind(("127.0.0.1", port), type("Bound", (Handler,), {"cloud": self.cloud}))
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> FakeGoogle:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def serve_functions(
        self, folder: Path, extra: Mapping[str, str], *, authority: Authority, environments: Path | None = None
    ) -> Runner:
        """From now on what is deployed really runs, below `folder`; `extra` variables lead to emulators."""
        cloud = self.cloud
        cloud.runner = Runner(folder, cloud.may_call, cloud.latest_payload, authority, extra, environments)
        return cloud.runner

    def fail(self, match: str, *, times: int = 1, status: int = 503, message: str = "injected fault") -> None:
        """The next `times` calls whose 'METHOD path' matches are refused."""
        with self.cloud.lock:
            self.cloud.faults = [{"match": match, "times": times, "status": status, "message": message}]

    def calls(self, match: str) -> list[Json]:
        """The journal's entries whose 'METHOD path' matches."""
        with self.cloud.lock:
            return [e for e in self.cloud.journal if re.search(match, f"{e['method']} {e['path']}")]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self.cloud.runner:
            self.cloud.runner.close()
