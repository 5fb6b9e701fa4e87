"""Services with manners of their own: `on_<service>` answers what the generic part can't, or None."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any
from urllib.parse import quote

import requests

from tests.infra.fake_google import tokens
from tests.infra.fake_google.catalog import AGENTS, KNOWN_APIS, LATE, NUMBER, NUMBERS, STATE, Json
from tests.infra.fake_google.generic import Generic
from tests.infra.fake_google.values import Call, crc32c, need, stamp


class Cloud(Generic):
    """The fake cloud as a whole."""

    def on_iamcredentials(self, call: Call) -> Json | None:
        """Identity tokens for accounts of the project; the one who asks is the deployer."""
        if call.method != "POST" or call.verb != "generateIdToken":
            return None
        email = call.parts[-1]
        self.check_account(email)
        need(self.deployer_may_mint, 403, "Permission 'iam.serviceAccounts.getOpenIdToken' denied on resource.")
        return {"token": tokens.issue(email, call.body.get("audience", ""))}

    def on_pubsub(self, call: Call) -> Json | None:
        """What lies in a subscription, and its end."""
        messages = self.passing.messages.setdefault(call.name, []) if call.verb in ("pull", "seek") else []
        if call.verb == "pull" and call.method == "POST":
            return {"receivedMessages": [{"message": {"attributes": m["attributes"]}} for m in messages]}
        if call.verb == "seek" and call.method == "POST":
            messages.clear()
            return {}
        return None

    def on_cloudtasks(self, call: Call) -> Json | None:
        """A task is taken from who may enqueue into this queue and may act as whom the task calls back."""
        if call.method != "POST" or call.parts[-1:] != ["tasks"]:
            return None
        claims = tokens.read(call.headers.get("authorization", "").removeprefix("Bearer ")) or {"email": ""}
        queue, who = f"cloudtasks/{'/'.join(call.parts[:-1])}", claims["email"]
        self.find(queue)
        need(
            self.granted("roles/cloudtasks.enqueuer", who, queue),
            403,
            f"{who} lacks cloudtasks.tasks.create on {queue}",
        )
        target = call.body.get("task", {}).get("httpRequest", {}).get("oidcToken", {}).get("serviceAccountEmail", "")
        account = f"iam/{'/'.join(call.parts[:2])}/serviceAccounts/{target}"
        fine = not target or self.granted("roles/iam.serviceAccountUser", who, account)
        need(fine, 403, f"{who} lacks iam.serviceAccounts.actAs on {target}")
        return {"name": f"{call.name}/{next(NUMBERS)}"}

    def on_cloudscheduler(self, call: Call) -> Json | None:
        """A job that is run now calls its target, with a token where the service's agent may make it.

        Headers: google.cloud.scheduler.v1.HttpTarget.
        """
        if (call.method, call.verb) != ("POST", "run"):
            return None
        job = self.find(call.key)
        target, oidc = job["httpTarget"], job["httpTarget"].get("oidcToken")
        headers = target["headers"] | {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": call.parts[-1]}
        token = self.mint("cloudscheduler", oidc["serviceAccountEmail"], oidc["audience"]) if oidc else ""
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        trusted = self.runner.authority.ca_file if self.runner else True
        if token is None:
            job["status"] = {
                "code": 7,
                "message": f"{AGENTS['cloudscheduler']} can't act as {oidc['serviceAccountEmail']}",
            }
        else:
            answer = requests.request(target["httpMethod"], target["uri"], headers=headers, verify=trusted, timeout=180)
            told = f"Original HTTP response code number = {answer.status_code}"
            job["status"] = {} if answer.ok else {"code": 2, "message": told}
        return job

    def on_clouddns(self, call: Call) -> Json | None:
        """Record sets live in a zone and change by changes, all of which are done at once."""
        if len(call.parts) < 5 or call.parts[4] not in ("rrsets", "changes"):
            return None
        zone = "clouddns/" + "/".join(call.parts[:4])
        sets: list[Json] = self.find(zone).setdefault("_sets", [])
        if call.parts[4] == "rrsets" and call.method == "GET":
            wanted = {k: v for k, v in call.query.items() if k in ("name", "type")}
            return {"rrsets": [s for s in sets if wanted.items() <= s.items()]}
        for gone in call.body.get("deletions", []):
            need(gone["name"] in [s["name"] for s in sets], 404, f"The record set {gone['name']} does not exist.")
            sets[:] = [s for s in sets if (s["name"], s["type"]) != (gone["name"], gone["type"])]
        sets += call.body.get("additions", [])
        return {"id": next(NUMBERS), "status": "done", "kind": "dns#change"}

    def on_serviceusage(self, call: Call) -> Json | None:
        api = call.parts[3] if len(call.parts) == 4 else ""
        short = api.split(".")[0]
        if call.method == "GET" and call.parts[2:] == ["services"]:
            return {"services": [{"name": f"projects/{NUMBER}/services/{a}", "state": "ENABLED"} for a in self.enabled]}
        if call.verb in ("enable", "batchEnable"):
            apis = [api] if api else call.body.get("serviceIds", [])
            bad = [a for a in apis if a.removesuffix(".googleapis.com") not in KNOWN_APIS or "." not in a]
            need(not bad, 403, f"Not found or permission denied for service(s): {', '.join(bad)}.")
            need(api or 1 < len(apis) <= 20, 400, "batchEnable takes 2 to 20 services.")
            self.enabled |= dict.fromkeys(apis)
            self.agents |= {AGENTS[a] for a in (a.split(".")[0] for a in apis) if a in AGENTS and a not in LATE}
            return self.operation(call, {})
        if call.verb == "disable" and api:
            self.enabled.pop(api, None)
            return self.operation(call, {})
        if call.verb == "generateServiceIdentity" and api and call.version == "v1beta1":
            self.agents |= {AGENTS[short]} if short in AGENTS else set()
            return self.operation(call, {"email": AGENTS[short], "uniqueId": next(NUMBERS)} if short in AGENTS else {})
        return None

    def on_secretmanager(self, call: Call) -> Json | None:
        if call.verb == "addVersion" and call.method == "POST":
            return self.add_version(call)
        if call.parts[4:5] != ["versions"] or len(call.parts) != 6:
            return None
        secret, asked = "secretmanager/" + "/".join(call.parts[:4]), call.parts[5]
        held = self.find(secret)
        aliases = held.get("versionAliases", {}) | {"latest": len(self.below(f"{secret}/versions"))}
        key = f"{secret}/versions/{aliases.get(asked, asked)}"
        res = self.find(key)
        wrong = f"Secret Version [{res['name']}] is in {res['state']} state."
        if call.method == "GET" and call.verb == "access":
            need(res["state"] == "ENABLED", 400, wrong, STATE)
            data = self.payloads[key]
            payload = {"data": base64.b64encode(data).decode(), "dataCrc32c": str(crc32c(data))}
            return {"name": res["name"], "payload": payload}
        states = {"enable": "ENABLED", "disable": "DISABLED", "destroy": "DESTROYED"}
        if call.method == "POST" and call.verb in states:
            need(res["state"] != "DESTROYED", 400, wrong, STATE)
            res.pop("scheduledDestroyTime", None)
            res["state"] = states[call.verb]
            if call.verb == "destroy" and "versionDestroyTtl" in held:
                res |= {"state": "DISABLED", "scheduledDestroyTime": stamp(held["versionDestroyTtl"])}
            elif call.verb == "destroy":
                res["destroyTime"] = stamp()
                del self.payloads[key]
            if self.runner:
                self.runner.refresh_secrets()
            return res
        return res if call.method == "GET" and not call.verb else None

    def add_version(self, call: Call) -> Json:
        held, payload = self.find(call.key), call.body.get("payload", {})
        data = base64.b64decode(payload.get("data", ""))
        need(0 < len(data) <= 65536, 400, "Secret payload must be 1 to 65536 bytes.")
        need(
            str(payload.get("dataCrc32c", crc32c(data))) == str(crc32c(data)),
            400,
            "The payload's checksum doesn't match.",
        )
        key = f"{call.key}/versions/{len(self.below(call.key + '/versions')) + 1}"  # versions never leave the list
        self.payloads[key] = data
        made = self.put(key, {"createTime": stamp(), "state": "ENABLED", "replicationStatus": held["replication"]})
        if self.runner:
            self.runner.refresh_secrets()
        return made

    def on_compute(self, call: Call) -> Json | None:
        *parts, last = call.parts
        if not self.kind("compute", parts):
            return None
        target = Call(call.method, "compute", call.version, parts, last, call.query, call.body)
        if last in ("getIamPolicy", "setIamPolicy"):
            return self.policy(target, target.key, call.body.get("policy", {}))
        if call.method == "POST" and last in (
            "setLabels",
            "setTarget",
            "setPrivateIpGoogleAccess",
            "expandIpCidrRange",
        ):
            res, body = self.find(target.key), dict(call.body)
            fine = last != "setLabels" or body.pop("labelFingerprint", "") == res["labelFingerprint"]
            need(fine, 412, "Labels fingerprint either invalid or resource labels have changed")
            return self.operation(target, self.put(target.key, res | body))
        return None

    def on_storage(self, call: Call) -> Any:
        parts, method, bucket = call.parts, call.method, "storage/" + "/".join(call.parts[:2])
        if call.version.startswith("upload"):
            return (
                self.upload(call, bucket) if method == "POST" and call.query.get("uploadType") == "multipart" else None
            )
        if parts[2:] == ["iam"] and method in ("GET", "PUT"):
            call.verb = "getIamPolicy" if method == "GET" else "setIamPolicy"
            return self.policy(call, bucket, call.body) | {"kind": "storage#policy"}
        if parts[2:] == ["anywhereCaches"] and method == "GET":
            return {"kind": "storage#anywhereCaches"}
        media = method == "GET" and call.query.get("alt") == "media" and self.find(call.key)
        return self.payloads[call.key] if media else None

    def upload(self, call: Call, bucket: str) -> Json:
        boundary = call.headers.get("content-type", "").partition("boundary=")[2].strip('"')
        chunks = call.raw.split(b"--" + boundary.encode())[1:3]
        (_, about), (head, data) = (c.removeprefix(b"\r\n").split(b"\r\n\r\n", 1) for c in chunks)
        data, kind = data.removesuffix(b"\r\n"), re.search(r"(?i)content-type: *(\S+)", head.decode())
        res = ({"contentType": kind[1]} if kind else {}) | json.loads(about)
        name, generation, own = call.query.get("name") or res["name"], next(NUMBERS), call.parts[1]
        key = f"{bucket}/o/{quote(name, safe='')}"
        self.find(bucket)
        self.payloads[key] = data
        return self.put(
            key,
            res
            | {
                "id": f"{own}/{name}/{generation}",
                "bucket": own,
                "generation": generation,
                "size": str(len(data)),
                "md5Hash": base64.b64encode(hashlib.md5(data).digest()).decode(),
                "mediaLink": f"https://www.googleapis.com/download/storage/v1/{key[8:]}?alt=media",
                "crc32c": base64.b64encode(crc32c(data).to_bytes(4, "big")).decode(),
            },
        )
