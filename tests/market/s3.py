"""An object store on loopback: moto's S3 server."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def bucket(monkeypatch: pytest.MonkeyPatch, name: str = "riffs") -> Iterator[str]:
    """A fresh bucket, and the environment that leads to it: its RIFF_STORAGE_URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        environment = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        httpx.post(f"{environment['AWS_ENDPOINT_URL']}/moto-api/reset").raise_for_status()
        httpx.put(f"{environment['AWS_ENDPOINT_URL']}/{name}").raise_for_status()
        yield f"s3://{name}"
    finally:
        server.stop()
