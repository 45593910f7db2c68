"""Where a film comes from, over real HTTP on loopback."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.errors import BadInput, SourceFault
from reelflow.media.probe import probe
from reelflow.sources import source_stem, stage_source

BODY = b"\x00\x01film" * 5000


class Site(http.server.BaseHTTPRequestHandler):
    """A few addresses, good and bad."""

    def do_GET(self) -> None:
        asked = self.path.partition("?")[0]
        if asked.startswith("/to-"):
            host = {"/to-here": "", "/to-localhost": f"http://localhost:{self.server.server_address[1]}"}[asked]
            self.send_response(302)
            self.send_header("Location", f"{host}/clip.mp4")
            self.end_headers()
        elif asked == "/round.mp4":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
        elif asked in ("/packs.mp4", "/always-packed.mp4"):
            is_packed = asked == "/always-packed.mp4" or "gzip" in self.headers.get("Accept-Encoding", "")
            body = gzip.compress(BODY) if is_packed else BODY
            self.send_response(200)
            if is_packed:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif asked == "/cut.mp4":
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY[:100])
        elif asked.endswith("clip.mp4"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)
        else:
            self.send_error(404 if asked == "/missing.mp4" else 403)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a small web server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def stage(
    source: str, tmp_path: Path, ffmpeg: Path, *, max_bytes: int = 10**6, allow_private: bool = False
) -> Path:
    return await stage_source(source, tmp_path, work_dir=tmp_path, ffmpeg=ffmpeg, max_bytes=max_bytes,
                              allow_private=allow_private)


async def test_an_address_is_brought_here_whole(site: str, tmp_path: Path, ffmpeg: Path) -> None:
    path = await stage(f"{site}/a%20clip.mp4?sig=1", tmp_path, ffmpeg)
    assert (path.read_bytes(), path.suffix) == (BODY, ".mp4")


async def test_a_file_that_is_too_large_is_refused(site: str, tmp_path: Path, ffmpeg: Path) -> None:
    with pytest.raises(BadInput, match="REELFLOW_MAX_SOURCE_BYTES"):
        await stage(f"{site}/clip.mp4", tmp_path, ffmpeg, max_bytes=100)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("path", "told"), [
    ("/missing.mp4", "answered 404 Not Found"), ("/secret.mp4", "answered 403"), ("/cut.mp4", "can't be fetched"),
])
async def test_what_can_t_be_fetched_is_told(site: str, tmp_path: Path, ffmpeg: Path, path: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        await stage(site + path, tmp_path, ffmpeg)
    assert list(tmp_path.iterdir()) == []


async def test_a_site_that_packs_what_it_sends_is_asked_not_to(site: str, tmp_path: Path, ffmpeg: Path) -> None:
    assert (await stage(f"{site}/packs.mp4", tmp_path, ffmpeg)).read_bytes() == BODY
    with pytest.raises(BadInput, match=r"comes packed \(gzip\)"):
        await stage(f"{site}/always-packed.mp4", tmp_path / "other", ffmpeg)


async def test_a_signed_address_is_shown_without_its_signature_whatever_goes_wrong(
    site: str, tmp_path: Path, ffmpeg: Path
) -> None:
    with pytest.raises(BadInput, match=r"round\.mp4 can't be fetched: TooManyRedirects") as refused:
        await stage(f"{site}/round.mp4?X-Amz-Signature=secret", tmp_path, ffmpeg)
    assert "secret" not in str(refused.value)


async def test_a_host_that_isn_t_there_is_told(tmp_path: Path, ffmpeg: Path) -> None:
    with pytest.raises(BadInput, match=r"http://127\.0\.0\.1:9/clip\.mp4 can't be fetched"):
        await stage("http://127.0.0.1:9/clip.mp4", tmp_path, ffmpeg)


async def test_what_is_no_address_is_not_asked_again(tmp_path: Path, ffmpeg: Path) -> None:
    with pytest.raises(BadInput, match="https:// is no address of a file") as refused:
        await stage("https://", tmp_path, ffmpeg)
    assert not isinstance(refused.value, SourceFault)


async def test_a_machine_that_is_called_at_once_and_is_away_may_be_there_later(tmp_path: Path, ffmpeg: Path) -> None:
    with pytest.raises(SourceFault, match=r"ftp://127\.0\.0\.1:9/a\.mp4 can't be reached"):
        await stage("ftp://127.0.0.1:9/a.mp4", tmp_path, ffmpeg)


async def test_a_redirect_into_a_private_network_is_refused(site: str, tmp_path: Path, ffmpeg: Path) -> None:
    with pytest.raises(BadInput, match="redirects to localhost, in a private network"):
        await stage(f"{site}/to-localhost", tmp_path, ffmpeg)
    assert (await stage(f"{site}/to-localhost", tmp_path, ffmpeg, allow_private=True)).read_bytes() == BODY


async def test_a_redirect_on_the_same_host_is_followed(site: str, tmp_path: Path, ffmpeg: Path) -> None:
    assert (await stage(f"{site}/to-here", tmp_path, ffmpeg)).read_bytes() == BODY


async def test_the_sample_is_a_landscape_clip_with_sound(tmp_path: Path, ffmpeg: Path) -> None:
    film = await probe(await stage("sample", tmp_path, ffmpeg))
    assert (str(film.shown), film.frames, film.rate, len(film.sounds)) == ("1280x720", 180, 30, 1)


@pytest.mark.parametrize(("source", "stem"), [
    ("clips/a b.mp4", "a b"), ("https://x/y/z%20z.mp4?sig=a/b", "z z"), ("-o.mp4", "o"), ("a:b%.mp4", "a-b-"),
    ("-.a.mp4", "a"), ("- x.mp4", "x"),
    ("sample", "sample"), ("https://x/", "film"), ("../..", "film"),
])
def test_outputs_are_named_after_the_source(source: str, stem: str) -> None:
    assert source_stem(source) == stem
