"""The state of the fake cloud, and the checks of references between resources."""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import UTC, datetime
from urllib.parse import unquote

from tests.infra.fake_google import tokens
from tests.infra.fake_google.catalog import AGENTS, FILLED, KINDS, NUMBER, NUMBERS, PROJECT, Json, ResourceKind
from tests.infra.fake_google.pushing import push
from tests.infra.fake_google.running import Runner
from tests.infra.fake_google.traits import GRANT_SECONDS, TOMBSTONES, Passing, Switches, due, wants
from tests.infra.fake_google.values import digest, fill, need, stamp


class Store:
    """State, and the checks of references between resources. Callers hold `lock`, but for what the running services ask."""

    def __init__(self, strict: bool = False) -> None:
        self.lock = threading.RLock()
        self.runner: Runner | None = None
        self.deployer_may_mint = True
        self.reset(strict)

    def reset(self, strict: bool) -> None:
        self.strict = strict
        self.switches, self.passing = Switches(), Passing()
        self.deployer: frozenset[str] | None = None  # permissions; None: everything
        self.resources: dict[str, Json] = {}  # by 'service/full name'
        self.policies: dict[str, Json] = {}  # by the same keys
        self.payloads: dict[str, bytes] = {}  # of secret versions and objects
        self.sources: dict[str, bytes] = {}  # of functions: what each was last built from
        self.operations: dict[str, Json] = {}
        self.enabled: dict[str, None] = {}
        self.agents: set[str] = set()
        self.journal: list[Json] = []
        self.faults: list[Json] = []

    def kind(self, service: str, parts: list[str], collection: bool = False) -> ResourceKind | None:
        return next((k for k in KINDS if k.service == service and k.matches(parts, collection)), None)

    def below(self, prefix: str) -> list[tuple[str, Json]]:
        return [(k, v) for k, v in self.resources.items() if k.startswith(prefix + "/")]

    def find(self, key: str) -> Json:
        need(key in self.resources, 404, f"Resource not found: {key.partition('/')[2]}")
        return self.resources[key]

    def put(self, key: str, res: Json) -> Json:
        """Stores a resource after checking it and filling in what the server does."""
        service, _, name = key.partition("/")
        kind = self.kind(service, name.split("/"))
        assert kind, key
        values, short = FILLED.get(f"{service}/{kind.collection}", {}), name.rsplit("/", 1)[1]
        missing = [r for r in kind.required.split() if not res.get(r)]
        need(not missing, 400, f"{name}: missing {', '.join(missing)}")
        res["name"] = name.replace(f"/{PROJECT}/", f"/{NUMBER}/", 1) if kind.numbered else name
        res["name"] = unquote(short) if service in ("logging", "compute", "storage", "clouddns") else res["name"]
        for field_ in {"updateTime", "userUpdateTime"} & set(values):
            res.pop(field_, None)
        fill(res, values, short)
        self.check_references(res)
        rule = getattr(self, f"fill_{'compute' if service == 'compute' else kind.collection}", None)
        if rule:
            rule(name, res)
        if service in ("secretmanager", "firestore", "monitoring") and kind.collection != "fields":
            res.pop("etag", None)
            res["etag"] = f'"{digest(res)}"'
        if service == "storage":
            res |= {
                "selfLink": f"https://www.googleapis.com/storage/v1/{name}",
                "updated": stamp(),
                "etag": next(NUMBERS),
                "metageneration": str(int(res.get("metageneration", "0")) + 1),
            }
        self.resources[key] = res
        return res

    def now(self) -> float:
        return time.time() + self.passing.offset

    def bury(self, key: str) -> None:
        """Refuse the name of what was deleted for a while."""
        if lasting := TOMBSTONES.get(key.split("/")[-2]):
            self.passing.tombstones[key] = self.now() + lasting

    def advance(self, seconds: float) -> None:
        """Move the clock on: rotation notices are sent as they fall due, and subscriptions forget."""
        self.passing.offset += seconds
        now = datetime.fromtimestamp(self.now(), UTC)
        for secret in [
            v for k, v in self.resources.items() if re.fullmatch(r"secretmanager/[^/]+/[^/]+/secrets/[^/]+", k)
        ]:
            while notice := due(secret, now):
                for topic in secret.get("topics", []):
                    self.publish(topic["name"], notice)
        for name, messages in self.passing.messages.items():
            kept = float(self.resources[f"pubsub/{name}"]["messageRetentionDuration"][:-1])
            messages[:] = [m for m in messages if m["at"] > self.now() - kept]

    def publish(self, topic: str, attributes: Json) -> None:
        for key, subscription in self.resources.items():
            if key.startswith("pubsub/") and subscription.get("topic") == topic and wants(subscription, attributes):
                message: Json = {"at": self.now(), "attributes": dict(attributes), "statuses": []}
                self.passing.messages.setdefault(subscription["name"], []).append(message)
                if subscription["pushConfig"].get("pushEndpoint"):
                    threading.Thread(target=push, args=(self, subscription["name"], message), daemon=True).start()

    def drop(self, key: str) -> None:
        """Removes a resource, what lies below it, and their policies and payloads."""
        for store in (self.resources, self.policies, self.payloads):
            for other in [k for k in store if k == key or k.startswith(key + "/")]:
                del store[other]

    def check_references(self, res: Json) -> None:
        """Refuses names of accounts, topics, connectors and channels of this project that don't exist."""
        text, own = json.dumps(res | {"name": ""}), f"projects/{PROJECT}/"
        for email in re.findall(r'"serviceAccount(?:Email)?": "(?:projects/[^"]*/)?([^"/]+)"', text):
            self.check_account(email)
        for name in re.findall(
            rf'"(?:topic|topicName|pubsubTopic|deadLetterTopic|vpcConnector)": "({own}[^"]+)"', text
        ):
            self.find(f"{'vpcaccess' if '/connectors/' in name else 'pubsub'}/{name}")
        for name in re.findall(rf"{own}notificationChannels/\w+", text):
            self.find(f"monitoring/{name}")

    def check_account(self, email: str) -> None:
        """Service accounts and agents of this project must exist; those of others are taken as existing."""
        known = "@" in email
        if email.endswith(f"@{PROJECT}.iam.gserviceaccount.com"):
            known = f"iam/projects/{PROJECT}/serviceAccounts/{email}" in self.resources
        elif email in AGENTS.values():
            known = email in self.agents
        need(known, 400, f"Service account {email} does not exist.")

    def shown(self) -> Json:
        """Everything held: resources by 'service/full name', policies by the same with ':iamPolicy', enabled services."""
        services = {f"serviceusage/projects/{PROJECT}/services/{api}": {"state": "ENABLED"} for api in self.enabled}
        return self.resources | {f"{key}:iamPolicy": policy for key, policy in self.policies.items()} | services

    def grants(self) -> list[Json]:
        """Every (resource, role, member[, condition]) over all policies."""
        return [
            {"resource": key, "role": b["role"], "member": m} | {k: v for k, v in b.items() if k == "condition"}
            for key, policy in list(self.policies.items())
            for b in policy.get("bindings", [])
            for m in b["members"]
        ]

    def may_call(self, service: str, email: str | None) -> bool:
        """Whether a grant on the Run service lets the account in, or everybody."""
        member = f"serviceAccount:{email}" if email else "allUsers"
        # Without the lock: a job that is run holds it while the service that it calls asks here.
        if any(
            v.get("invokerIamDisabled") for k, v in list(self.resources.items()) if k.endswith(f"/services/{service}")
        ):
            return True
        held = [g for g in self.grants() if g["resource"].endswith(f"/services/{service}") and self.acts(g)]
        return any(g["role"] == "roles/run.invoker" and g["member"] in (member, "allUsers") for g in held)

    def latest_payload(self, secret: str) -> bytes | None:
        """The value of a secret's newest version, None where that is disabled or there is none."""
        with self.lock:
            versions = self.below(f"{secret}/versions")
            key, newest = versions[-1] if versions else ("", {"state": ""})
            return self.payloads.get(key) if newest["state"] == "ENABLED" else None

    def granted(self, role: str, email: str, key: str) -> bool:
        """Whether a grant on a resource, or on the project, acts by now."""
        spots, want = (key, f"resourcemanager/projects/{PROJECT}"), (role, f"serviceAccount:{email}")
        return any((g["role"], g["member"]) == want and g["resource"] in spots and self.acts(g) for g in self.grants())

    def acts(self, grant: Json) -> bool:
        since = self.passing.granted.get((grant["resource"], grant["role"], grant["member"]), 0.0)
        return self.now() >= since + GRANT_SECONDS

    def mint(self, api: str, email: str, audience: str) -> str | None:
        """An identity token of an account that a service's agent makes, to call as it; None where it may not."""
        account = f"iam/projects/{PROJECT}/serviceAccounts/{email}"
        may = self.granted("roles/iam.serviceAccountOpenIdTokenCreator", AGENTS[api], account)
        return tokens.issue(email, audience) if may else None
