"""What each collection checks and computes before a resource is stored."""

from __future__ import annotations

import hashlib
import re
import uuid
from urllib.parse import quote, urlsplit

from tests.infra.fake_google import traits
from tests.infra.fake_google.catalog import AGENTS, COMPUTE_AGENT, COMPUTE_URL, NUMBER, NUMBERS, PROJECT, STATE, Json
from tests.infra.fake_google.instances import RUNTIMES, size
from tests.infra.fake_google.running import Declaration, StartFailed
from tests.infra.fake_google.store import Store
from tests.infra.fake_google.values import ApiError, digest, fill, need, stamp


class Rules(Store):
    """What each collection checks and computes: `fill_<collection>`, called before a resource is stored."""

    def fill_secrets(self, name: str, res: Json) -> None:
        if "ttl" in res:
            res["expireTime"] = stamp(res.pop("ttl"))
        if rotation := res.get("rotation"):
            fine = res.get("topics") and rotation.get("nextRotationTime")
            need(
                fine,
                400,
                "Secret.topics and Secret.rotation.next_rotation_time must be set when Secret.rotation is set.",
            )
            need(float(rotation.get("rotationPeriod", "3600s")[:-1]) >= 3600, 400, "rotation_period is at least 3600s.")
        agent = AGENTS["secretmanager"]
        for key in ("pubsub/" + t["name"] for t in res.get("topics", [])):
            self.find(key)
            fine = not self.strict or self.granted("roles/pubsub.publisher", agent, key)
            need(fine, 400, f"{agent} lacks pubsub.topics.publish on {key}", STATE)
        for version in res.get("versionAliases", {}).values():
            self.find(f"secretmanager/{name}/versions/{version}")

    def fill_queues(self, name: str, res: Json) -> None:
        rate = res["rateLimits"]
        fine = 0 < rate["maxDispatchesPerSecond"] <= 500 and 0 < rate["maxConcurrentDispatches"] <= 5000
        need(fine, 400, "Queue.rate_limits: at most 500 dispatches per second and 5000 concurrent dispatches.")
        rate["maxBurstSize"] = max(10, int(rate["maxDispatchesPerSecond"] / 5))

    def fill_jobs(self, name: str, res: Json) -> None:
        need(
            len({"httpTarget", "pubsubTarget", "appEngineHttpTarget"} & set(res)) == 1,
            400,
            "Job needs exactly one target.",
        )
        if "retryConfig" in res:
            usual = {
                "maxRetryDuration": "0s",
                "minBackoffDuration": "5s",
                "maxBackoffDuration": "3600s",
                "maxDoublings": 5,
            }
            fill(res["retryConfig"], usual)
        if http := res.get("httpTarget"):
            http["uri"] += "" if urlsplit(http["uri"]).path else "/"
            fill(http, {"httpMethod": "POST", "headers": {"User-Agent": "Google-Cloud-Scheduler"}})
            fill(http["headers"], {"Content-Type": "application/octet-stream"} if "body" in http else {})
            fill(http.get("oidcToken", {}), {"audience": http["uri"]})
            fill(http.get("oauthToken", {}), {"scope": "https://www.googleapis.com/auth/cloud-platform"})

    def fill_alertPolicies(self, name: str, res: Json) -> None:  # noqa: N802 - the collection's name
        traits.check_queries(res)

    def fill_dashboards(self, name: str, res: Json) -> None:
        traits.check_queries(res)

    def fill_fields(self, name: str, res: Json) -> None:
        if (ttl := res.get("ttlConfig")) is not None:
            ttl |= {k.replace("_offset", "Offset"): ttl.pop(k) for k in list(ttl)} | {"state": "ACTIVE"}
        res.setdefault("indexConfig", {"usesAncestorConfig": True})

    def fill_indexes(self, name: str, res: Json) -> None:
        fields = res["fields"]
        if fields[-1]["fieldPath"] != "__name__" and "vectorConfig" not in fields[-1]:
            fields.append({"fieldPath": "__name__", "order": fields[-1].get("order", "ASCENDING")})
        need(len(fields) > 2, 400, "this index is not necessary, configure using single field index controls")
        for key, other in self.below("firestore/" + name.rsplit("/", 1)[0]):
            need(key.endswith(name) or other["fields"] != fields, 409, "index already exists")

    def fill_subscriptions(self, name: str, res: Json) -> None:
        res.setdefault("expirationPolicy", {"ttl": "2678400s"})  # an empty policy means: never expires
        push = res.setdefault("pushConfig", {})
        push.get("attributes", {}).pop("x-goog-version", None)  # accepted, not kept
        endpoint = push.get("pushEndpoint", "https://")
        need(endpoint.startswith("https://"), 400, f"Invalid push endpoint given (endpoint={endpoint}).")
        need(10 <= res["ackDeadlineSeconds"] <= 600, 400, "The ack deadline has to be between 10 and 600 seconds.")

    def fill_functions(self, name: str, res: Json) -> None:
        _, project, _, location, _, short = name.split("/")
        place, build, service = name.rsplit("/", 2)[0], res["buildConfig"], res["serviceConfig"]
        self.check_function(name, build, service)
        service.setdefault("availableCpu", "1" if service["availableMemory"] not in ("256M", "256Mi") else "0.1666")
        for volume in service.get("secretVolumes", []):
            volume.setdefault("versions", [{"version": "latest", "path": volume["secret"]}])
        if trigger := res.get("eventTrigger"):
            fill(
                trigger,
                {
                    "triggerRegion": location,
                    "serviceAccountEmail": COMPUTE_AGENT,
                    "trigger": f"{place}/triggers/{short}-{next(NUMBERS)[-6:]}",
                },
            )
        build.setdefault("dockerRepository", f"{place}/repositories/gcf-artifacts")
        policy = "onDeployUpdatePolicy" if "onDeployUpdatePolicy" in build else "automaticUpdatePolicy"
        fill(build, {policy: {"runtimeVersion": f"{build['runtime']}_20260101_RC00"} if policy[0] == "o" else {}})
        build["build"] = f"projects/{NUMBER}/locations/{location}/builds/{uuid.uuid4()}"
        run = f"{place}/services/{short}"  # the Cloud Run service below, with invokers of its own
        count = str(int(self.resources.get(f"run/{run}", {}).get("generation", "0")) + 1)
        uri = f"https://{short}-{hashlib.md5(project.encode()).hexdigest()[:10]}-uc.a.run.app"
        uri = self.serve_function(short, build, service) or uri
        self.put(
            f"run/{run}",
            {"uri": uri, "generation": count, "template": {"serviceAccount": service["serviceAccountEmail"]}},
        )
        service |= {"service": run, "uri": uri, "revision": f"{short}-{count:0>5}-{uuid.uuid4().hex[:3]}"}
        res["url"] = f"https://{location}-{project}.cloudfunctions.net/{short}"

    def serve_function(self, short: str, build: Json, service: Json) -> str:
        """Runs what was deployed where somebody is there to run it; its address, or nothing."""
        if self.runner is None:
            return ""
        mounts = {
            f"{volume['mountPath']}/{version['path']}": f"secretmanager/projects/{PROJECT}/secrets/{volume['secret']}"
            for volume in service.get("secretVolumes", [])
            for version in volume["versions"]
        }
        source = next(data for name, data in self.sources.items() if name.endswith(f"/functions/{short}"))
        variables = service.get("environmentVariables", {})
        memory = size(service["availableMemory"])
        wanted = Declaration(short, build["runtime"], build["entryPoint"], memory, variables, mounts, source)
        self.lock.release()  # the rest of the cloud goes on while it starts
        try:
            return self.runner.deploy(wanted)
        except StartFailed as failure:
            raise ApiError(400, f"Container failed to start. {failure}", STATE) from None
        finally:
            self.lock.acquire()

    def check_function(self, name: str, build: Json, service: Json) -> None:
        need(build.get("runtime") and build.get("source"), 400, "build_config needs runtime and source.")
        need(build["runtime"] in RUNTIMES, 400, f"runtime: Runtime {build['runtime']} is unsupported on GCF Gen2.")
        source, copies = build["source"].get("storageSource", {}), f"gcf-v2-sources-{NUMBER}-{name.split('/')[3]}"
        if source and source.get("bucket") != copies:  # new: a copy is built from, its origin stays in sourceProvenance
            held = self.resources.get(
                f"storage/b/{source.get('bucket')}/o/{quote(source.get('object', ''), safe='')}", {}
            )
            need(held, 400, f"Source object gs://{source.get('bucket')}/{source.get('object')} was not found.")
            self.sources[name] = self.payloads[f"storage/b/{source['bucket']}/o/{quote(source['object'], safe='')}"]
            build["sourceProvenance"] = {"resolvedStorageSource": source | {"generation": held["generation"]}}
            source |= {
                "bucket": copies,
                "object": f"{name.split('/')[-1]}/{source['object']}",
                "generation": next(NUMBERS),
            }
        repository = build.get("dockerRepository", "")
        self.check_builder(build, repository)
        for agent in (AGENTS["cloudfunctions"], AGENTS["run"]) if self.strict and repository else ():
            fine = self.granted("roles/artifactregistry.reader", agent, f"artifactregistry/{repository}")
            need(
                fine,
                400,
                f"Unable to retrieve the repository metadata for {repository}: {agent} lacks artifactregistry.reader.",
            )
        small = service["maxInstanceRequestConcurrency"] > 1 and float(service.get("availableCpu") or 0) < 1
        need(not small, 400, "Total cpu < 1 is not supported with concurrency > 1. Set available_cpu to at least 1.")
        for use in (
            service.get("secretEnvironmentVariables", []) + service.get("secretVolumes", []) if self.strict else []
        ):
            key = f"secretmanager/projects/{PROJECT}/secrets/{use['secret']}"
            versions = self.below(f"{key}/versions")
            need(versions, 400, f"Secret {key}/versions/latest was not found")
            need(
                versions[-1][1]["state"] == "ENABLED", 400, f"Secret {key}/versions/latest is in DISABLED state", STATE
            )
            fine = self.granted("roles/secretmanager.secretAccessor", service["serviceAccountEmail"], key)
            need(fine, 400, f"Permission denied on secret: {key} for {service['serviceAccountEmail']}")

    def check_builder(self, build: Json, repository: str) -> None:
        """A build account of one's own has nothing but what it was granted: https://cloud.google.com/functions/docs/securing/build-custom-sa"""
        email, origin = build["serviceAccount"].rpartition("/")[2], build.get("sourceProvenance", {})
        needs = {
            f"resourcemanager/projects/{PROJECT}": "roles/logging.logWriter",
            f"artifactregistry/{repository}": "roles/artifactregistry.writer",
        }
        if source := origin.get("resolvedStorageSource"):
            needs[f"storage/b/{source['bucket']}"] = "roles/storage.objectViewer"
        for key, role in needs.items() if self.strict and email != COMPUTE_AGENT else ():
            fine = self.granted(role, email, key)
            need(
                fine, 400, f"Build failed: the service account {email} running this build lacks {role} on {key}.", STATE
            )

    def fill_b(self, name: str, res: Json) -> None:
        res["location"] = res["location"].upper()

    def fill_compute(self, name: str, res: Json) -> None:
        _, _, *scope, collection, _ = name.split("/")
        fill(
            res,
            {
                "id": "@number",
                "creationTimestamp": "@now",
                "selfLink": COMPUTE_URL + name,
                "kind": f"compute#{collection.rstrip('s')}",
            },
        )
        if scope[0] == "regions":
            res["region"] = f"{COMPUTE_URL}projects/{PROJECT}/regions/{scope[1]}"
        for ref in {"network", "subnetwork", "subnetworks", "target", "IPAddress"} & set(res):
            value = res[ref]
            res[ref] = [self.compute_ref(v) for v in value] if isinstance(value, list) else self.compute_ref(value)
        private = f"10.128.0.{int(res['id']) % 250 + 2}"
        if collection == "addresses":
            internal = res["addressType"] == "INTERNAL"
            fill(
                res, {"address": private, "purpose": "GCE_ENDPOINT"} if internal else {"address": "34.66" + private[6:]}
            )
        elif collection == "forwardingRules":
            held = self.resources.get("compute/" + res.get("IPAddress", "").removeprefix(COMPUTE_URL))
            res["IPAddress"] = held["address"] if held else res.get("IPAddress", private)
            psc = {"pscConnectionId": "@number", "pscConnectionStatus": "ACCEPTED"}
            usual = {"IPProtocol": "TCP", "loadBalancingScheme": "EXTERNAL"}
            fill(res, psc if "/serviceAttachments/" in res.get("target", "") else usual)
        mark = digest({k: v for k, v in res.items() if "ingerprint" not in k})[:11] + "="
        res |= {"selfLinkWithId": res["selfLink"] + res["id"], "fingerprint": mark, "labelFingerprint": mark}

    def compute_ref(self, value: str) -> str:
        """Any spelling of a compute reference as a self link; a missing network or subnetwork is a 400."""
        found = re.search(r"projects/[^/]+/(regions|zones|global)/.+$", value)
        if not found:
            return value
        own = re.fullmatch(
            f"projects/{PROJECT}/.+networks/(?!default$).+", found[0]
        )  # default networks are always there
        need(
            not own or f"compute/{found[0]}" in self.resources,
            400,
            f"The referenced resource '{found[0]}' cannot be found.",
        )
        return COMPUTE_URL + found[0]
