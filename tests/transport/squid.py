"""A real squid on loopback: the proxy most companies have. Debian: `apt-get install squid`."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

# A user of a Windows domain: its backslash is what a quoted string escapes (npm/cli#7150).
USERNAME, PASSWORD, REALM = r"corp\ann", "pass:word", "the lab"
_HELPERS = Path("/usr/lib/squid")

_CONFIG = """
http_port 127.0.0.1:{plain_port}
https_port 127.0.0.1:{tls_port} tls-cert={folder}/proxy.pem
{auth}
http_access deny all
cache deny all
access_log stdio:{folder}/access.log
cache_log {folder}/cache.log
pid_filename none
coredump_dir {folder}
shutdown_lifetime 0 seconds
pinger_enable off
visible_hostname localhost
max_filedescriptors 1024
cache_effective_user proxy
"""

_AUTH = {
    "none": "http_access allow localhost",
    "basic": """
auth_param basic program {helpers}/basic_ncsa_auth {folder}/basic
auth_param basic realm {realm}
acl known proxy_auth REQUIRED
http_access allow known
""",
    "digest": """
auth_param digest program {helpers}/digest_file_auth -c {folder}/digest
auth_param digest children 1
auth_param digest realm {realm}
auth_param digest nonce_max_count {uses}
auth_param digest check_nonce_count on
auth_param digest nonce_strictness on
acl known proxy_auth REQUIRED
http_access allow known
""",
}


@dataclass(frozen=True, slots=True)
class Squid:
    """`plain_port` speaks HTTP, `tls_port` TLS; `log` is what it let through, one line each."""

    plain_port: int
    tls_port: int
    log: Path

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def why_not() -> str | None:
    """What is missing for a real squid on this machine; None when nothing is."""
    needed = [
        Path(shutil.which("squid") or "/usr/sbin/squid"),
        _HELPERS / "basic_ncsa_auth",
        _HELPERS / "digest_file_auth",
    ]
    missing = [str(each) for each in needed if not each.exists()]
    return f"no real proxy here: {', '.join(missing)} missing (Debian: apt-get install squid)" if missing else None


@contextlib.contextmanager
def running_squid(auth: str, *, ca: trustme.CA, uses_per_nonce: int = 50) -> Iterator[Squid]:
    """Squid with this scheme, in the foreground of a process of its own, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="squid-") as name:
        folder = Path(name)
        # Squid won't work as root: started by root it becomes `proxy`, who has to read and write here.
        folder.chmod(0o777)
        with _process(auth, ca, folder=folder, uses=uses_per_nonce) as squid:
            yield squid


@contextlib.contextmanager
def _process(auth: str, ca: trustme.CA, *, folder: Path, uses: int) -> Iterator[Squid]:
    squid = Squid(_free_port(), _free_port(), folder / "access.log")
    _write_files(squid, auth, ca=ca, folder=folder, uses=uses)
    # A service name of its own keeps its shared memory apart from any other squid on this machine.
    program, name = shutil.which("squid") or "/usr/sbin/squid", f"test{squid.plain_port}"
    command = [program, "-N", "-n", name, "-f", str(folder / "squid.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_open(squid, process)
        yield squid
    finally:
        process.terminate()
        process.wait(timeout=20)


def _write_files(squid: Squid, auth: str, *, ca: trustme.CA, folder: Path, uses: int) -> None:
    secret = hashlib.md5(f"{USERNAME}:{REALM}:{PASSWORD}".encode()).hexdigest()
    # Squid hands the name to its helper in quotes without escaping it, and the helper takes the backslash for an escape: the
    # file's key goes without, the hash is the whole name's.
    (folder / "digest").write_text(f"{USERNAME.replace(chr(92), '')}:{REALM}:{secret}\n")
    hashed = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], capture_output=True, text=True, check=True).stdout
    (folder / "basic").write_text(f"{USERNAME}:{hashed}")
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "proxy.pem"))
    scheme = _AUTH[auth].format(helpers=_HELPERS, folder=folder, realm=REALM, uses=uses)
    text = _CONFIG.format(plain_port=squid.plain_port, tls_port=squid.tls_port, folder=folder, auth=scheme)
    (folder / "squid.conf").write_text(text)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_open(squid: Squid, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"squid did not start: {squid.log.with_name('cache.log').read_text()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", squid.plain_port), 0.2):
            return
        time.sleep(0.05)
    raise RuntimeError("squid does not answer")
