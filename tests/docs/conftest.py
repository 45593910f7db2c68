"""A store for the pages that take films from one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.media.run import run_ffmpeg


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Iterator[dict[str, str]]:
    """moto's S3 on loopback, with two clips of a second at s3://bucket/in/; the environment that leads to it."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    s3 = boto3.client("s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="key",
                      aws_secret_access_key="secret")
    s3.create_bucket(Bucket="bucket")
    folder = tmp_path_factory.mktemp("clips")
    for name, drawn in (("one", "testsrc2=s=320x180:r=30:d=1"), ("two", "mandelbrot=s=320x180:r=25,trim=duration=1")):
        clip = folder / f"{name}.mp4"
        asyncio.run(run_ffmpeg(["-f", "lavfi", "-i", drawn, "-c:v", "libx264", "-pix_fmt", "yuv420p", f"file:{clip}"],
                               ffmpeg=ffmpeg, timeout=60))
        s3.upload_file(str(clip), "bucket", f"in/{name}.mp4")
    yield {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
           "AWS_DEFAULT_REGION": "us-east-1"}
    server.stop()
