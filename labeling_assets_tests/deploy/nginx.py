"""nginx of Debian with one of our examples, on a free port, in front of servers of the tests."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from labeling_assets.stack.processes import free_port
from labeling_assets_tests.certificates import make_certificate
from labeling_assets_tests.waiting import eventually

EXAMPLES = Path(__file__).parents[2] / "deploy" / "nginx"
# What Debian's nginx.conf says around the example; as root the workers must be allowed into the folders of the tests.
_AROUND = """{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
  default_type application/octet-stream;
  {temporary}
  {example}
}}
"""


def program() -> str | None:
    """Where nginx is; Debian keeps it off the PATH of users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def example(name: str, replaced: dict[str, str]) -> str:
    """One of our files; each line marked "yours" that is not the same in a test is replaced, once."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert text.count(old) == 1, f"{old!r} is not once in {name}"
        text = text.replace(old, new)
    left = [
        line for line in text.splitlines() if "# yours" in line and not any(new in line for new in replaced.values())
    ]
    assert [line for line in left if "server_name" not in line] == [], "a test does not know this line"
    return text


@contextmanager
def running_nginx(
    folder: Path, name: str, *, label_studio: str, gateway: str, tls: bool = False, cache: Path | None = None
) -> Iterator[str]:
    """The address of nginx with the example `name`, until the end of the `with`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port("127.0.0.1")
    certificate, key = make_certificate(folder)
    replaced = {
        "listen 443 ssl; ": f"listen 127.0.0.1:{port}{' ssl' if tls else ''}; ",
        "server 127.0.0.1:8080;": f"server {httpx.URL(label_studio).netloc.decode()};",
        "server 127.0.0.1:8090;": f"server {httpx.URL(gateway).netloc.decode()};",
        "/etc/ssl/certs/labels.example.org.pem": str(certificate),
        "/etc/ssl/private/labels.example.org.key": str(key),
        "/var/log/nginx/labels.access.log": f"{folder}/access.log",
    }
    if cache is not None:
        replaced["/srv/labeling_home/gateway_cache/"] = f"{cache}/"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    around = {"user": "user root;" if os.getuid() == 0 else "", "temporary": temporary}
    configuration = folder / "nginx.conf"
    configuration.write_text(_AROUND.format(folder=folder, example=example(name, replaced), **around))
    command = [str(program()), "-c", str(configuration), "-e", f"{folder}/start.log"]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert re.findall(r"\[warn\].*", checked.stderr) == []
    process = subprocess.Popen(command)
    try:
        eventually(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, (folder / "start.log").read_text()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
