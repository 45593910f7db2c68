"""The batch's index, and the gallery that serves a folder of pages."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import html5lib
import httpx
import pytest
from over import Over

from reelflow.errors import BadInput
from reelflow.manifest import read_manifest
from reelflow.page.card import Card
from reelflow.page.gallery import Gallery
from reelflow.page.wall import Wall, write_wall

DONE = {"source": "/films/a.mp4", "status": "completed", "outputs": ["out.mp4"], "job_ids": ["j"],
        "billed_seconds": 8.0, "cost_usd": 0.08, "error": None, "took": 5.0}
FAILED = {"source": "https://films.example/b.mp4?signature=secret", "status": "failed", "outputs": [], "job_ids": [],
          "billed_seconds": 0, "cost_usd": None, "error": "The queue said <no>.", "took": 1}


def manifest(folder: Path, *lines: object) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


async def test_a_batch_s_index_has_a_poster_a_state_and_totals_for_its_clips(over: Over) -> None:
    await over.write()
    (over.folder / "out.poster.jpg").write_bytes(b"jpeg")
    text = write_wall(manifest(over.folder, DONE, FAILED)).read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    assert '<a href="./out.html">a.mp4</a>' in text
    assert 'src="./out.poster.jpg"' in text
    assert "The queue said &lt;no&gt;." in text
    assert "1 of 2" in text
    assert "1 of unknown price" in text
    assert "secret" not in text


REAL = Card(title="real", state="completed", billed_seconds=8.0, cost_usd=0.08)
MADE_UP = Card(title="made up", state="completed", billed_seconds=5.0, cost_usd=0.05, stand_in=True)
REFUSED = Card(title="refused", state="refused")


@pytest.mark.parametrize(("cards", "is_told", "sums"), [
    ((MADE_UP, REFUSED), True, ("by the price list, not billed", "0.0500 USD")),
    ((MADE_UP, REAL), False, ("spent, without the stand-in's", "0.0800 USD")),
    ((MADE_UP, REAL.model_copy(update={"cost_usd": None})), False,
     ("spent, without the stand-in's, 1 of unknown price", "0.0000 USD")),
    ((REAL, REFUSED), False, ("spent", "0.0800 USD")),
])
def test_that_nothing_was_billed_is_said_only_where_the_stand_in_made_all_of_it(
    cards: tuple[Card, ...], is_told: bool, sums: tuple[str, str]
) -> None:
    wall = Wall("films", "gallery", cards)
    assert ("nothing was billed" in wall.html(), sums in wall.sums) == (is_told, True)
    assert ("stand-in, not billed" in wall.html()) is (MADE_UP in cards and not is_told)


def test_a_batch_with_a_clip_of_unknown_price_does_not_say_what_it_cost(tmp_path: Path) -> None:
    for last, cost in ((DONE, 0.16), ({**DONE, "cost_usd": None}, None)):
        write_wall(manifest(tmp_path, {**DONE, "name": "a"}, {**last, "name": "b"}))
        (card,) = Gallery(tmp_path).cards()
        assert card.cost_usd == cost


def test_while_clips_still_come_the_page_says_how_many_and_is_read_anew(tmp_path: Path) -> None:
    going = write_wall(manifest(tmp_path, DONE), clips=3, goes_on=True).read_text()
    html5lib.HTMLParser(strict=True).parse(going)
    assert ("1 of 3 clips so far" in going, "data-goes-on>" in going) == (True, True)
    stopped = write_wall(manifest(tmp_path, DONE), clips=3).read_text()
    assert ("3 clips, 2 not begun" in stopped, "data-goes-on>" in stopped) == (True, False)


def test_a_clip_without_a_page_of_its_own_leads_to_its_film_and_shows_the_batch_s_poster(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"film")
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "a.jpg").write_bytes(b"jpeg")
    lines = manifest(tmp_path, {**DONE, "poster": "posters/a.jpg"})
    here, away = write_wall(lines).read_text(), write_wall(lines, away=True).read_text()
    assert '<a href="./out.mp4">a.mp4</a>' in here
    assert "out.mp4" not in away
    assert all('src="./posters/a.jpg"' in text for text in (here, away))


def test_rows_of_one_source_are_clips_each(tmp_path: Path) -> None:
    write_wall(manifest(tmp_path, {**DONE, "name": "a-1"}, {**DONE, "name": "a-2"}, {**FAILED, "name": "a-1"}))
    text = (tmp_path / "index.html").read_text()
    assert ("1 of 2" in text, "The queue said" in text) == (True, True)


def test_a_page_of_somebody_else_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>My shop</h1>")
    lines = manifest(tmp_path, DONE)
    assert [write_wall(lines).name for _ in range(2)] == ["reelflow-index.html"] * 2
    assert (tmp_path / "index.html").read_text() == "<h1>My shop</h1>"


def test_the_last_line_of_a_clip_counts_and_one_that_is_being_written_does_not(tmp_path: Path) -> None:
    path = manifest(tmp_path, {**DONE, "status": "failed"}, DONE)
    with path.open("a") as more:
        more.write('{"source": "/films/c')
    assert [line.status for line in read_manifest(path)] == ["failed", "completed"]
    assert "1 of 1" in write_wall(path).read_text()


def test_a_line_that_is_no_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"Line 1 of .* status"):
        read_manifest(manifest(tmp_path, {"source": "a.mp4"}, DONE))


@pytest.fixture
async def browse(over: Over) -> AsyncIterator[httpx.AsyncClient]:
    """A gallery of a folder that holds a run, a secret, and a link that leads out of it."""
    await over.write()
    for name in ("in.mp4", "out.mp4"):
        there = (over.folder / name).resolve()
        (over.folder / name).unlink()
        (over.folder / name).write_bytes(there.read_bytes())
    (over.folder / ".env").write_text("DECART_API_KEY=secret")
    (over.folder / "notes.txt").write_text("secret")
    outside = over.folder.parent / f"{over.folder.name}-outside.mp4"
    outside.write_bytes(b"secret")
    (over.folder / "way-out.mp4").symlink_to(outside)
    (over.folder / "round.mp4").symlink_to("round.mp4")
    transport = httpx.ASGITransport(app=Gallery(over.folder).app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8650") as client:
        yield client


async def test_a_gallery_lists_the_runs_of_its_folder_and_serves_them(browse: httpx.AsyncClient) -> None:
    listed = await browse.get("/")
    html5lib.HTMLParser(strict=True).parse(listed.text)
    assert '<a href="./out.html">out.mp4</a>' in listed.text
    page = await browse.get("/out.html")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_a_gallery_answers_ranges_so_that_films_can_be_seeked(browse: httpx.AsyncClient, over: Over) -> None:
    part = await browse.get("/out.mp4", headers={"Range": "bytes=100-199"})
    whole = (over.folder / "out.mp4").read_bytes()
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert (await browse.get("/out.mp4", headers={"Range": f"bytes={len(whole)}-"})).status_code == 416


@pytest.mark.parametrize("asked", [
    "/.env", "/notes.txt", "/way-out.mp4", "/%2e%2e/secret.mp4", "/..%2f..%2fetc/passwd", "//etc/hostname.html",
    "/sub/..%2f..%2fx.mp4", "/out.html%00.mp4", "/nothing.mp4", f"/{'long' * 70}.mp4", "/round.mp4",
])
async def test_a_gallery_shows_nothing_but_the_pages_and_films_of_its_folder(
    browse: httpx.AsyncClient, asked: str
) -> None:
    answer = await browse.get(asked)
    assert answer.status_code == 404
    assert "secret" not in answer.text


@pytest.mark.parametrize("name", [b"two\nlines.html", b"not \xff utf-8.html", "ünd?#%41.html".encode()])
async def test_a_page_is_served_at_the_address_that_is_listed_whatever_its_name_holds(
    browse: httpx.AsyncClient, over: Over, name: bytes
) -> None:
    (over.folder / "out.html").rename(over.folder / os.fsdecode(name))
    (card,) = Gallery(over.folder).cards()
    assert (await browse.get(f"/{card.page}")).status_code == 200


async def test_a_gallery_does_not_answer_to_another_site_s_name(browse: httpx.AsyncClient) -> None:
    assert (await browse.get("/", headers={"Host": "evil.example"})).status_code == 400


async def test_a_gallery_shows_a_batch_and_leaves_pages_of_others_alone(browse: httpx.AsyncClient, over: Over) -> None:
    write_wall(manifest(over.folder, DONE), title="All of May")
    (over.folder / "foreign.html").write_text("<title>not ours</title>")
    cards = Gallery(over.folder).cards()
    assert [card.title for card in cards] == ["All of May", "out.mp4"]


def test_a_path_that_leads_out_of_the_folder_means_no_file(over: Over) -> None:
    gallery = Gallery(over.folder)
    assert gallery.find("out.mp4") is None  # a link to elsewhere
    (over.folder / "sub").mkdir()
    (over.folder / "a.png").write_bytes(b"x")
    assert gallery.find("a.png") == (over.folder / "a.png").resolve()
    for asked in ("sub/../a.png", "../a.png", str(over.folder / "a.png"), "", "sub", ".a.png", "a.png\0"):
        assert gallery.find(asked) is None, asked


def test_a_gallery_of_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a folder"):
        Gallery(tmp_path / "nothing")
