"""Runs the whole Pulumi program under mocks and keeps what it registered, engine options included."""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import runpy
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pulumi
from google.protobuf import json_format
from pulumi.runtime import mocks, rpc
from pulumi.runtime.stack import Stack as Root

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
PROJECT, NUMBER, REGION = "demo-project", "123456789012", "us-central1"
BASE = {"gcp:project": PROJECT, "gcp:region": REGION}
SECRET_MARK = "4dabf18193072939515e22adb298388d"


@dataclass(frozen=True)
class Registration:
    """One resource as the engine is asked for it. `raw` still has the marks of secrets, `inputs` has plain values."""

    type: str
    name: str
    parent: str
    urn: str
    inputs: Mapping[str, Any]
    raw: Mapping[str, Any]
    protect: bool
    imported: str
    retain: bool
    ignore: tuple[str, ...]
    depends_on: tuple[str, ...]
    replace_with: tuple[str, ...]
    before_create: tuple[str, ...]

    @property
    def is_component(self) -> bool:
        return self.type.startswith("sms-connector:")


@dataclass
class Stack:
    """What a run of the program came to."""

    resources: list[Registration] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    switched: list[tuple[str, bool]] = field(default_factory=list)  # Run services, and whether callers go unchecked

    def of(self, kind: str) -> list[Registration]:
        return [r for r in self.resources if r.type == kind]

    def named(self, kind: str, name: str) -> Registration:
        return next(r for r in self.of(kind) if r.name == name)


class Refused(grpc.RpcError):
    """A provider's function that fails, as the engine's protocol tells it."""

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self._details = details

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return self._details


@dataclass(frozen=True)
class Cloud:
    """What is there already: secrets with an enabled version and with a disabled newest one, functions by name with their build's
    variables, databases; and what fails, and how."""

    versions: frozenset[str] = frozenset()
    disabled: frozenset[str] = frozenset()
    databases: frozenset[str] = frozenset()
    unreached: frozenset[str] = frozenset()  # subnetworks without Private Google Access
    built: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    fail: Mapping[str, str] = field(default_factory=dict)


class Google(mocks.Mocks):
    """Fills computed outputs, as the cloud would, and answers the provider's functions."""

    def __init__(self, stack: Stack, cloud: Cloud) -> None:
        self._stack, self._cloud, self._fail, self._built = stack, cloud, cloud.fail, cloud.built

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.custom:
            return "", dict(args.inputs)
        name = args.inputs.get("name") or args.name
        made: dict[str, Any] = {"name": name}
        if args.typ == "gcp:serviceaccount/account:Account":
            email = f"{args.inputs['accountId']}@{PROJECT}.iam.gserviceaccount.com"
            made = {
                "email": email,
                "member": f"serviceAccount:{email}",
                "name": f"projects/{PROJECT}/serviceAccounts/{email}",
            }
        elif args.typ == "gcp:projects/serviceIdentity:ServiceIdentity":
            agents = {"cloudfunctions": "gcf-admin-robot", "run": "serverless-robot-prod"}
            api = args.inputs["service"].partition(".")[0]
            made = {"email": f"service-{NUMBER}@{agents.get(api, f'gcp-sa-{api}')}.iam.gserviceaccount.com"}
        elif args.typ == "gcp:secretmanager/secret:Secret":
            made = {"name": f"projects/{NUMBER}/secrets/{args.inputs['secretId']}"}
        elif args.typ == "gcp:cloudfunctionsv2/function:Function":
            made["serviceConfig"] = {**args.inputs["serviceConfig"], "uri": f"http://127.0.0.1:9/{name}"}  # discards
        elif args.typ.startswith("gcp:compute/"):
            made |= {"selfLink": f"https://compute.example/{args.name}", "address": "34.66.0.1"}
        elif args.typ == "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig":
            made["uptimeCheckId"] = f"{args.name}-id"
        elif args.typ == "gcp:storage/bucketObject:BucketObject":
            made["generation"] = 1
        return f"id-of-{args.name}", {**args.inputs, **made}

    def call(self, args: mocks.MockCallArgs) -> Any:
        self._stack.calls.append((args.token, dict(args.args)))
        short = args.token.rpartition(":")[2]
        if short in self._fail:
            raise Refused(self._fail[short])
        if short == "getSecretVersion":
            secret = args.args["secret"]
            if secret not in self._cloud.versions | self._cloud.disabled:
                raise Refused("googleapi: Error 404: Secret Version was not found.")
            enabled = secret not in self._cloud.disabled
            return {"name": f"projects/{NUMBER}/secrets/{secret}/versions/1", "enabled": enabled}
        if short == "getFunction":
            if args.args["name"] not in self._built:
                raise Refused("googleapi: Error 404: Function was not found.")
            build = {"environmentVariables": self._built[args.args["name"]]}
            return {"buildConfigs": [build], "state": "ACTIVE"}
        answers = {"getProject": {"number": NUMBER}, "getAccountIdToken": {"idToken": "an-identity-token"}}
        answers |= {"getSubnetwork": {"privateIpGoogleAccess": args.args.get("name") not in self._cloud.unreached}}
        answers |= {"getClientConfig": {"accessToken": "an-access-token"}}
        return answers[short]


class Rest(BaseHTTPRequestHandler):
    """Google's REST API as far as the program calls it by itself."""

    cloud = Cloud()
    stack = Stack()

    def do_GET(self) -> None:
        service, _, name = self.path.strip("/").partition("/")
        held = {f"projects/{PROJECT}/databases/{database}" for database in self.cloud.databases}
        switches = dict(self.stack.switched)
        if service == "run":
            self._answer(200, {"name": name, "invokerIamDisabled": switches.get(name, False)})
        else:
            self._answer(*((200, {"name": name}) if name in held else (404, {"error": {"message": "not found"}})))

    def do_PATCH(self) -> None:
        name = self.path.partition("?")[0].strip("/").partition("/")[2]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.stack.switched.append((name, body["invokerIamDisabled"]))
        self._answer(200, {"done": True})

    def _answer(self, status: int, answer: object) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@functools.cache
def rest() -> dict[str, str]:
    """Configuration that leads the program's own calls to `Rest`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    return {"gcp:firestoreCustomEndpoint": f"{base}/firestore/", "gcp:cloudRunV2CustomEndpoint": f"{base}/run/"}


class Recorder(mocks.MockMonitor):
    """The mock engine; it also keeps each request as it came."""

    def __init__(self, google: Google, stack: Stack) -> None:
        super().__init__(google)
        self._stack = stack

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # the SDK's mocks have no types
        if request.type != "pulumi:pulumi:Stack":
            raw = json_format.MessageToDict(request.object)
            self._stack.resources.append(
                Registration(
                    type=request.type,
                    name=request.name,
                    parent=request.parent,
                    urn=answer.urn,
                    inputs=rpc.unwrap_rpc_secret(rpc.deserialize_properties(request.object)),
                    raw=raw,
                    protect=request.protect,
                    imported=request.importId,
                    retain=request.retainOnDelete,
                    ignore=tuple(request.ignoreChanges),
                    depends_on=tuple(request.dependencies),
                    replace_with=tuple(getattr(request, "replace_with", ())),
                    before_create=tuple(request.hooks.before_create),
                )
            )
        return answer


def run(
    config: Mapping[str, str] | None = None,
    *,
    secrets: Mapping[str, str] | None = None,
    cloud: Cloud | None = None,
    preview: bool = False,
    into: Stack | None = None,
) -> Stack:
    """Runs `infra/__main__.py` with keys below `sms-connector:`; `secrets` are set as secrets, `cloud` is what exists already.

    `into` keeps what was registered before a failure.
    """
    stack = into or Stack()
    ours = {f"sms-connector:{k}": v for k, v in {**(config or {}), **(secrets or {})}.items()}
    sealed = [f"sms-connector:{key}" for key in secrets or {}]
    asyncio.set_event_loop(asyncio.new_event_loop())
    google = Google(stack, cloud or Cloud())
    pulumi.runtime.settings.ROOT.set(None)
    pulumi.runtime.set_mocks(google, "sms-connector", "test", preview, monitor=Recorder(google, stack))
    pulumi.runtime.set_all_config({**BASE, **rest(), **ours}, sealed)
    Rest.cloud, Rest.stack = cloud or Cloud(), stack
    pulumi.runtime.test(lambda: run_main(stack))()  # type: ignore[no-untyped-call]  # as above
    return stack


@functools.cache
def checkout() -> Path:
    """A checkout with the real program and a small function folder: the program's tests don't depend on what is deployed."""
    root = Path(tempfile.mkdtemp(prefix="sms-connector-test-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    (root / "function").mkdir()
    (root / "function" / "main.py").write_text("def connector(request): ...\n")
    (root / "function" / "requirements.txt").write_text("functions-framework==3.10.2\n")
    (root / "infra").mkdir()
    for part in INFRA.iterdir():
        if part.name not in (".build", "__pycache__"):
            (root / "infra" / part.name).symlink_to(part)
    return root


def run_main(stack: Stack) -> pulumi.Output[None]:
    """Runs the program; what is returned is known when all its outputs are."""
    runpy.run_path(str(checkout() / "infra" / "__main__.py"), run_name="__main__")
    root = pulumi.runtime.get_root_resource()
    assert isinstance(root, Root)
    exported = root.outputs
    return pulumi.Output.from_input(exported).apply(stack.outputs.update)
