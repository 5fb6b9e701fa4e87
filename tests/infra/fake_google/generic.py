"""What all services have in common: collections, resources, operations, policies."""

from __future__ import annotations

import base64
import copy
import json
import re
import uuid
from typing import Any
from urllib.parse import quote, unquote

from tests.infra.fake_google import permissions, traits
from tests.infra.fake_google.catalog import (
    COMPUTE_URL,
    FIXED,
    METHODS,
    NUMBERS,
    OUTPUT_ONLY,
    PROJECT,
    SERVICES,
    STATE,
    VERBS,
    Json,
    ResourceKind,
)
from tests.infra.fake_google.rules import Rules
from tests.infra.fake_google.values import ApiError, Call, apply_mask, need, no_nulls, stamp

DEPLOYER = "Bearer fake"  # as the plugin and the program authenticate; tests that call by hand don't


class Generic(Rules):
    """The answer to every call: `on_<service>` where a service has manners of its own; generic where that answers None."""

    def handle(self, call: Call) -> Any:
        own_project = call.parts[0] != "projects" or call.parts[1:2] == [PROJECT]
        need(own_project, 403, f"Permission denied on resource {'/'.join(call.parts[:2])}.")
        right = call.service != "monitoring" or (call.version == "v1") == ("dashboards" in call.parts)
        need(right, 400, f"Unknown path: {call.service}/{call.version}/{call.name}")
        api = SERVICES[call.service][0] + ".googleapis.com"
        off = self.strict and api[0] != "." and api not in self.enabled
        need(not off, 403, f"{api} has not been used in project {PROJECT} before or it is disabled.")
        self.check_traits(call)
        if call.method == "GET" and not call.verb and call.key in FIXED:
            return FIXED[call.key] | {"name": PROJECT}
        if call.method == "POST" and (change := VERBS.get(call.service, {}).get(call.verb)) is not None:
            return self.put(call.key, self.find(call.key) | change)
        if (answer := getattr(self, f"on_{call.service}", lambda _: None)(call)) is not None:
            return answer
        if call.verb in ("getIamPolicy", "setIamPolicy"):
            return self.policy(call, call.key, call.body.get("policy", {}))
        if call.parts[-2:-1] == ["operations"] and call.method == "GET":
            need(call.key in self.operations, 404, f"Operation not found: {call.name}")
            busy = self.passing.busy
            self.passing.busy = {database: name for database, name in busy.items() if name != call.name}
            return self.operations[call.key]
        for size in range(2, len(call.parts)):
            if self.kind(call.service, call.parts[:size]):
                self.find(f"{call.service}/{'/'.join(call.parts[:size])}")  # the parent
        if (kind := self.kind(call.service, call.parts)) and not call.verb:
            return self.on_resource(call, kind)
        if (kind := self.kind(call.service, call.parts, True)) and not call.verb:
            return self.on_collection(call, kind)
        raise ApiError(
            400, f"Unknown: {call.method} {call.service}/{call.version}/{f'{call.name}:{call.verb}'.rstrip(':')}"
        )

    def check_traits(self, call: Call) -> None:
        """What a strict fake refuses before anything else: missing permissions, wrong places, what isn't ready yet."""
        if not self.strict:
            return
        if self.deployer is not None and call.headers.get("authorization") == DEPLOYER:
            missing = permissions.lacking(call, self.deployer)
            if self.switches.late_roles > 0:
                self.switches.late_roles -= 1
                missing = permissions.needed(call)
            need(
                not missing,
                403,
                f"Permission '{' '.join(missing)}' denied on resource {call.name} (or it may not exist).",
            )
        traits.check_location(call.service, call.parts)
        if call.method == "GET" and self.passing.unread.get(call.key, 0) > 0:
            self.passing.unread[call.key] -= 1
            raise ApiError(404, f"Resource not found: {call.name}")
        if call.service == "firestore" and {"fields", "indexes"} & set(call.parts):
            database = traits.database_of(call.parts)
            running = self.passing.busy.get(database)
            need(call.method == "GET" or not running, 409, traits.CONTENTION, "ABORTED")

    def begun(self, call: Call, operation: Json) -> Json:
        """An operation on a field is done when it is asked for; until then the database takes no other."""
        if self.strict and call.service == "firestore" and "fields" in call.parts:
            self.passing.busy[traits.database_of(call.parts)] = operation["name"]
            return {key: value for key, value in operation.items() if key not in ("done", "response")}
        return operation

    def operation(self, call: Call, res: Json, metadata: Json | None = None) -> Json:
        """A finished operation in the service's own shape."""
        if call.service == "compute":
            scope = "/".join(call.parts[: 3 if call.parts[2] == "global" else 4])
            op = {
                "kind": "compute#operation",
                "id": next(NUMBERS),
                "name": f"operation-{uuid.uuid4().hex}",
                "progress": 100,
                "status": "DONE",
                "operationType": call.method.lower(),
                "targetLink": COMPUTE_URL + call.name,
            }
            op |= {"region": COMPUTE_URL + scope} if "/regions/" in scope else {}
            self.operations[f"compute/{scope}/operations/{op['name']}"] = op
            return op
        name = "/".join([*call.parts[: 0 if call.service == "serviceusage" else 4], "operations", uuid.uuid4().hex])
        response = {"@type": f"type.googleapis.com/google.{call.service}.Resource"} | res
        about = metadata or {"createTime": stamp(), "field": call.name}
        op = {"name": name, "done": True, "metadata": about, "response": response}
        self.operations[f"{call.service}/{name}"] = op
        return op

    def check_body(self, kind: ResourceKind, short: str, body: Json) -> None:
        need(re.fullmatch(kind.id_regex, short), 400, f"Invalid resource id {short!r}: must match {kind.id_regex}")
        for key, value in body.get("labels", {}).items() if kind.service not in ("monitoring", "logging") else ():
            fine = re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) and re.fullmatch(r"[a-z0-9_-]{0,63}", value or "")
            need(fine, 400, f"Invalid label {key}={value}: lower case letters, digits, _ and - only.")

    def on_collection(self, call: Call, kind: ResourceKind) -> Json:
        if call.method == "GET":
            held = [v for k, v in self.below(call.key) if "/" not in k[len(call.key) + 1 :]]
            return {"items" if call.service in ("compute", "storage") else kind.collection: held}
        need(
            call.method == "POST" and kind.id_from not in ("put", "patch", "verb"), 400, f"No {call.method} {call.name}"
        )
        param, body = kind.id_from.removeprefix("?") or "name", call.body
        source = call.query if "?" in kind.id_from else body
        short = source.get(param) or source.get(param.replace("_id", "Id"), "")
        short = short.rsplit("/", 1)[-1] if source is body and call.service != "logging" else short
        body = body.get({"roleId": "role", "accountId": "serviceAccount"}.get(param, ""), body)
        if not kind.id_from and not short:
            short = str(uuid.uuid4()) if kind.collection == "dashboards" else next(NUMBERS)
        self.check_body(kind, short, body)
        short += f"@{PROJECT}.iam.gserviceaccount.com" if kind.collection == "serviceAccounts" else ""
        key = f"{call.key}/{quote(short, safe='') if call.service == 'logging' else short}"
        need(key not in self.resources, 409, f"Resource '{call.name}/{short}' already exists.")
        fresh = not self.strict or self.passing.tombstones.get(key, 0.0) <= self.now()
        need(fresh, 400, f"The name {short} can't be used: something with this name existed too recently.", STATE)
        if kind.collection == "databases" and self.switches.late_reads:
            self.passing.unread[key] = self.switches.late_reads
        res = self.put(key, copy.deepcopy(body))
        return self.operation(call, res, {"index": res["name"]}) if "POST" in kind.lro.split() else res

    def on_resource(self, call: Call, kind: ResourceKind) -> Any:
        methods = METHODS.get(kind.collection) or METHODS.get(call.service, "GET PATCH DELETE")
        need(call.method in methods.split(), 400, f"No {call.method} {call.name}")
        key, held = call.key, self.resources.get(call.key)
        if call.method == "PUT" and kind.id_from == "put":
            need(held is None, 409, f"Resource already exists in the project (resource={call.parts[-1]}).")
            self.check_body(kind, call.parts[-1], call.body)
            return self.put(key, copy.deepcopy(call.body))
        if kind.id_from == "patch" and held is None:  # every Firestore field has a configuration, asked for or not
            held = {"name": call.name}
            self.fill_fields(call.name, held) if call.method == "GET" else None
        held = self.find(key) if held is None else held
        if call.method == "GET":
            return held
        if call.method == "DELETE":
            self.delete(call, held)
            return (
                self.operation(call, {}) if "DELETE" in kind.lro.split() else b"" if call.service == "storage" else {}
            )
        res = self.changed(call, kind, held)
        if kind.id_from == "patch" and not {"ttlConfig", "indexConfig"} & set(res):
            self.drop(key)  # clearing a field's configuration is its deletion
        else:
            res = self.put(key, res)
        return self.begun(call, self.operation(call, res)) if call.method in kind.lro.split() else res

    def changed(self, call: Call, kind: ResourceKind, held: Json) -> Json:
        body = call.body.get(kind.wrap, call.body)
        self.check_body(kind, unquote(call.parts[-1]), body)
        need(body.get("etag", "") in ("", held.get("etag")), 409, "The etag does not match the current one.", "ABORTED")
        need(body.get("fingerprint") in (None, held.get("fingerprint")), 412, "Invalid fingerprint.")
        res = copy.deepcopy(held)
        if mask := call.query.get("updateMask") or call.body.get("updateMask"):
            apply_mask(res, body, mask)
            return res
        kept = {k: v for k, v in res.items() if k in OUTPUT_ONLY} if call.method == "PUT" or kind.replace else res
        labels = no_nulls(held.get("labels", {}) | (body.get("labels") or {})) if call.service == "storage" else None
        return no_nulls(kept | copy.deepcopy(body) | ({"labels": labels or None} if labels is not None else {}))

    def delete(self, call: Call, held: Json) -> None:
        full = call.service == "storage" and self.below(call.key)
        need(not full, 409, "The bucket you tried to delete is not empty.", "conflict")
        need(held.get("deleteProtectionState") != "DELETE_PROTECTION_ENABLED", 400, "Database is protected.", STATE)
        for other in list(self.resources.values()):
            used = call.name in other.get("notificationChannels", []) and call.query.get("force") != "true"
            need(not used, 400, f"Notification channel is in use by {other.get('name')}", STATE)
            if call.service == "pubsub" and other.get("topic") == call.name:
                other["topic"] = "_deleted-topic_"
        if call.service == "cloudfunctions":
            self.drop(f"run/{held['serviceConfig']['service']}")
            if self.runner:
                self.runner.remove(call.parts[-1])
        old = f"serviceAccount:{held.get('email')}"
        for binding in (b for p in self.policies.values() for b in p.get("bindings", [])):
            gone = f"deleted:{old}?uid={held.get('uniqueId')}"
            binding["members"] = [gone if m == old else m for m in binding["members"]]
        self.bury(call.key)
        self.drop(call.key)

    def policy(self, call: Call, key: str, new: Json) -> Json:
        """getIamPolicy (GET and POST), setIamPolicy with its etag check."""
        need(key in self.resources or key == f"resourcemanager/projects/{PROJECT}", 404, f"Resource not found: {key}")
        empty = {"version": 1, "etag": "ACAB"}
        held = self.policies.get(key, empty)
        if call.verb == "getIamPolicy":
            return held
        need(new.get("etag", "") in ("", held["etag"]), 409, "There were concurrent policy changes.", "ABORTED")
        merged: dict[str, Json] = {}
        before = {(b["role"], m) for b in held.get("bindings", []) for m in b["members"]}
        for binding in new.get("bindings", []):
            self.check_binding(key, binding)
            for member in binding.get("members", []):
                if (binding["role"], member) not in before:
                    self.passing.granted[key, binding["role"], member] = self.now()
            spot = binding["role"] + json.dumps(binding.get("condition"), sort_keys=True)
            members = merged.get(spot, {"members": []})["members"] + binding.get("members", [])
            merged[spot] = binding | {"members": sorted(set(members))}
        bindings = [b for _, b in sorted(merged.items()) if b["members"]]
        self.policies.pop(key, None)
        if bindings or "auditConfigs" in new:
            etag = base64.b64encode(int(next(NUMBERS)).to_bytes(8, "big")).decode()
            version = 3 if any("condition" in b for b in bindings) else 1
            self.policies[key] = {k: v for k, v in new.items() if k == "auditConfigs"}
            self.policies[key] |= {"version": version, "etag": etag, "bindings": bindings}
        return self.policies.get(key, empty)

    def check_binding(self, key: str, binding: Json) -> None:
        role, kinds = (
            binding.get("role", ""),
            "user|serviceAccount|group|domain|principal|principalSet|project\\w+|deleted:\\w+",
        )
        foreign = key.split("/")[0] == "cloudfunctions" and role == "roles/run.invoker"  # belongs on the Run service
        fine = re.fullmatch(r"(roles|projects/[^/]+/roles|organizations/\d+/roles)/[\w.]+", role) and not foreign
        need(fine, 400, f"Role {role!r} is not supported for this resource.")
        if self.strict:
            traits.check_public(binding.get("members", []), self.switches)
        for member in binding.get("members", []):
            public = member in ("allUsers", "allAuthenticatedUsers")
            need(public or re.fullmatch(f"({kinds}):.+", member), 400, f"Invalid member {member!r}.")
            need(not public or key.split("/")[0] != "resourcemanager", 400, f"A project can't grant to {member}.")
            if member.startswith("serviceAccount:") and ".svc.id.goog[" not in member:
                self.check_account(member.partition(":")[2])
