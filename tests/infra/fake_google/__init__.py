"""A fake of Google Cloud's REST control plane, good enough for the real Pulumi gcp provider.

Give `GET /_fake/config` to the stack and `GET /_fake/env` to the shell; the stack then lives in memory here. One port; each
service lies below its own prefix and keeps its version path (`/secretmanager/v1/projects/...`). An unknown path is a 400,
never a silent 200. The fake is also the run's HTTPS proxy: it refuses each CONNECT, and the journal shows it.

Admin: GET /_fake/config, env, requests[?match=REGEX], resources, grants, health; POST /_fake/reset [{"strict": true}];
POST /_fake/fail {"match": "PATCH .*queues", "times": 2, "status": 503} (replaces the fault before it);
POST /_fake/switch {"restrict_sharing": false, "late_reads": 1} (how this project differs from others);
POST /_fake/advance {"seconds": n} (names become free, notices are sent and forgotten).

Strict (also --strict) refuses what a fresh project refuses: services that are not enabled, functions whose account can't read
their secrets or whose newest versions aren't enabled, secrets whose topics the Secret Manager agent can't publish to, images that
the agents can't read, builds whose account lacks a role, what relies on a grant of the last second, `allUsers`, log metrics queried
without their resource, operations on fields that meet, names that existed a moment ago, regions without a service, and (where
`deployer` is set) calls that the deployer has no permission for.

What is deployed may really run (`running.py`): with the platform's variables, Python version, memory, TLS and limits of sizes.
"""
