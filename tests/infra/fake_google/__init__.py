"""A fake of Google Cloud's REST control plane, good enough for the real Pulumi gcp provider.

Give `GET /_fake/config` to the stack and `GET /_fake/env` to the shell; the stack then lives in memory here. One port; each
service lies below its own prefix and keeps its version path (`/secretmanager/v1/projects/...`). An unknown path is a 400,
never a silent 200. The fake is also the run's HTTPS proxy: it refuses each CONNECT, and the journal shows it.

Admin: GET /_fake/config, env, requests[?match=REGEX], resources, grants, health; POST /_fake/reset [{"strict": true}];
POST /_fake/fail {"match": "PATCH .*queues", "times": 2, "status": 503} (replaces the fault before it). Strict (also
--strict) refuses what a fresh project refuses: services that are not enabled, functions whose account can't read their
secrets or whose secrets have no version, secrets whose topics the Secret Manager agent can't publish to.
"""
