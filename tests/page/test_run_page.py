"""The run's page: what it tells, what it does not, that it is valid and small."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import html5lib
import pytest
from over import Over

from reelflow.choices import Keep
from reelflow.compile import Known, compile_recipe
from reelflow.media.probe import probe
from reelflow.media.run import run_ffmpeg
from reelflow.media.strip import make_strip
from reelflow.media.strip_command import strip_arguments
from reelflow.models import ModelTable
from reelflow.page.changes import changes_of
from reelflow.page.facts import in_step, moment_before
from reelflow.page.link import link_to
from reelflow.page.template import clock
from reelflow.recipe_file import parse_text
from reelflow.report import STANDIN_NOTE


def check_html(text: str) -> None:
    """Raises where the HTML breaks a rule of its grammar."""
    html5lib.HTMLParser(strict=True).parse(text)


async def test_a_page_is_valid_and_under_300_kb_even_where_the_film_is_noise(over: Over) -> None:
    text = await over.write()
    check_html(text)
    assert len(text.encode()) < 300_000
    assert text.count("data:image/jpeg;base64,") == 14  # twelve of the strip, a still of each side


async def test_a_page_tells_what_was_asked_what_it_cost_and_who_made_it(over: Over) -> None:
    text = html.unescape(await over.write())
    for told in ("lucy-restyle-2", "<dd>7</dd>", "job_1", "0.0800 USD", STANDIN_NOTE, "It was dark.", "4.0 s",
                 "Cut: only 1.000 to 9.000 s", "Padded: fitted as 1252x704", "Resampled: from 30 to"):
        assert told in text


async def test_nothing_of_a_prompt_or_a_name_becomes_markup(over: Over) -> None:
    told = replace(over.report, warnings=("</script><script>alert(1)</script>",), flow="<img src=x>")
    text = await over.write(report=told)
    assert "<b>hard" not in text
    assert "alert(1)</script>" not in text
    assert "<img src=x>" not in text
    check_html(text)


async def test_a_page_asks_nothing_of_a_network_and_links_to_its_films_from_where_it_lies(over: Over) -> None:
    text = await over.write()
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
    assert "default-src 'none'" in text
    assert 'src="./in.mp4"' in text
    assert 'src="./out.mp4"' in text


async def test_a_source_that_was_fetched_for_the_run_is_shown_as_a_still_and_named_without_its_signature(
    over: Over
) -> None:
    from reelflow.page.run_page import write_run_page

    told = replace(over.report, source="https://films.example/a/clip.mp4")
    page = await write_run_page(over.recipe, over.plan, told, over.film, over.folder / "p.html", source=None,
                                ffmpeg=over.ffmpeg)
    text = page.read_text()
    assert 'id="before"' not in text
    assert '<img class="still" src="data:image/jpeg;base64,' in text
    assert "clip.mp4 → out.mp4" in text
    check_html(text)


async def test_the_recipe_of_a_page_is_the_run_s_recipe(over: Over) -> None:
    text = await over.write()
    shown = re.search(r'<pre id="recipe"[^>]*>(.*?)</pre>', text, re.DOTALL)
    assert shown
    again = parse_text(html.unescape(shown[1]), name="x")
    assert again.model_dump() == over.recipe.model_dump()


async def test_a_page_says_in_its_head_what_a_gallery_shows_of_it(over: Over) -> None:
    text = await over.write()
    card = re.search(r'<script type="application/json" id="reelflow-card">(.*?)</script>', text)
    assert card
    assert json.loads(card[1])["asked"] == "film noir, <b>hard</b> shadows"


async def test_source_and_result_run_in_step_from_the_cut_on(over: Over) -> None:
    found = in_step(over.plan)
    assert found is not None
    assert (found.offset, found.speed) == (pytest.approx(1.0, abs=0.05), 1.0)
    assert moment_before(over.plan) == pytest.approx(5.0, abs=0.05)
    backwards = replace(over.plan, finish=replace(over.plan.finish, clip=replace(over.plan.finish.clip, timeline=None)))
    assert in_step(backwards) is None


async def test_the_strip_s_pictures_are_spread_over_the_film(over: Over) -> None:
    strip = await make_strip(over.plan.source, over.film, at_before=5.0, ffmpeg=over.ffmpeg)
    assert [round(cell.at * 30) for cell in strip.cells] == [12, 37, 62, 87, 112, 137, 162, 187, 212, 237, 262, 287]
    assert len({cell.jpeg for cell in strip.cells}) == 12


async def test_a_long_film_s_strip_is_found_without_reading_it_from_its_start(over: Over, tmp_path: Path) -> None:
    long = tmp_path / "long.mp4"
    await run_ffmpeg(
        ["-f", "lavfi", "-i", "testsrc=s=160x90:r=30:d=90", "-c:v", "libx264", "-preset", "ultrafast", "-g", "30",
         "-pix_fmt", "yuv420p", f"file:{long}"], ffmpeg=over.ffmpeg, timeout=60)
    film = await probe(long)
    words = strip_arguments(film, film, tmp_path, at_before=0.0)
    assert [words[index + 1] for index, word in enumerate(words) if word == "-ss"][-2:] == ["78.733333", "86.233333"]
    strip = await make_strip(film, film, at_before=0.0, ffmpeg=over.ffmpeg)
    assert len({cell.jpeg for cell in strip.cells}) == 12


async def test_a_film_of_one_frame_has_a_strip_of_one_picture(over: Over) -> None:
    short = replace(over.film, frames=1, seconds=float(Fraction(1, 30)))
    strip = await make_strip(over.plan.source, short, at_before=0.0, ffmpeg=over.ffmpeg)
    assert len(strip.cells) == 1


def test_what_was_done_is_told_once_and_in_order(over: Over) -> None:
    told = changes_of(over.plan)
    assert [one.partition(":")[0] for one in told] == ["Cut", "Padded", "Resampled", "Finished"]
    assert "the bars were cut away again" in told[1]


async def test_bars_that_stay_in_the_film_are_told_as_such(over: Over) -> None:
    step = over.recipe.work[-1].model_copy(update={"size": Keep.MODEL})
    recipe = over.recipe.with_steps([*over.recipe.work[:-1], step])
    plan = compile_recipe(recipe, over.plan.source, Known(ModelTable.standard(), stem="in"))
    assert "the bars are part of what came back" in changes_of(plan)[1]


@pytest.mark.parametrize(("target", "page", "link"), [
    ("/a/b/c d.mp4", "/a/b/p.html", "./c%20d.mp4"), ("/a/b:c.mp4", "/a/p.html", "./b%3Ac.mp4"),
    ("/a/x/c.mp4", "/a/y/p.html", "../x/c.mp4"), ("/b/c.mp4", "/a/p.html", "file:///b/c.mp4"),
    ("/a/#?%.mp4", "/a/p.html", "./%23%3F%25.mp4"),
])
def test_a_link_holds_whatever_is_in_a_name(target: str, page: str, link: str) -> None:
    assert link_to(Path(target), Path(page)) == link


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, "0:00.0"), (7.46, "0:07.4"), (75.0, "1:15"), (3723.0, "1:02:03")])
def test_a_moment_is_written_as_people_do(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
