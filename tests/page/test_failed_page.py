"""The page of a run that failed: what it tells, that it is valid, and whose it may replace."""

from __future__ import annotations

import html
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from over import Over
from test_run_page import check_html

from reelflow.destination import Destination
from reelflow.errors import JobFailed, MediaFailed, ReelflowError, SubmitUnknown
from reelflow.page.gallery import Gallery
from reelflow.page.template import is_ours, with_code


async def test_it_tells_what_where_what_to_do_what_was_spent_and_how_to_run_it_again(over: Over) -> None:
    error = JobFailed("The queue reports that job job_1 failed.", job_id="job_1")
    text = over.write_failed(error).read_text()
    check_html(text)
    told = html.unescape(text)
    for fact in ("The run failed while waiting for the job", "The queue reports that job job_1 failed.",
                 "let just this job be bought once more", "0.0800 USD", "lucy-restyle-2", "job_1",
                 "film noir, <b>hard</b> shadows", "It was dark.", "4.0 s",
                 "reelflow recipe run restyle.yaml", "ffmpeg -i 'a '\"'\"'quoted'\"'\"' name.mp4'"):
        assert fact in told
    assert "<b>hard" not in text


async def test_what_ffmpeg_said_last_stands_on_it_and_is_not_markup(over: Over) -> None:
    words = "Error while decoding <script>alert(1)</script>"
    text = over.write_failed(MediaFailed("ffmpeg failed.", stderr=words), last_words=words).read_text()
    check_html(text)
    assert words in html.unescape(text)
    assert "<script>alert(1)" not in text


async def test_a_lost_reply_is_told_as_money_in_doubt(over: Over) -> None:
    page = over.write_failed(SubmitUnknown("No answer came.", key="abc"), in_doubt_usd=Decimal("0.08"),
                             cost_usd=Decimal(0))
    text = html.unescape(page.read_text())
    assert "A reply was lost" in text
    assert "a job may have been bought, for up to 0.0800 USD" in text


async def test_a_gallery_shows_it_among_the_others_with_its_state_and_sentence(over: Over) -> None:
    await over.write()
    over.write_failed(JobFailed("The job failed.", job_id="job_1"))
    cards = {card.page: card for card in Gallery(over.folder).cards()}
    assert cards["./out.failed.html"].state == "failed"
    assert cards["./out.failed.html"].error == "The job failed."
    assert cards["./out.html"].state == "completed"


async def test_it_is_told_apart_from_a_page_of_somebody_else(over: Over) -> None:
    over.write_failed(JobFailed("The job failed.", job_id="job_1"))
    (over.folder / "other.html").write_text("<p>mine</p>")
    assert is_ours(over.folder / "out.failed.html")
    assert not is_ours(over.folder / "other.html")
    assert not is_ours(over.folder / "nothing.html")


@pytest.mark.parametrize(("wanted", "page"), [
    ("", "/films/clip-restyle.failed.html"), ("/out/made.mp4", "/out/made.failed.html"),
    ("/out/", "/out/clip-restyle.failed.html"),
])
async def test_it_lies_where_the_output_would_be_whatever_of_the_plan_is_known(
    over: Over, wanted: str, page: str
) -> None:
    assert Destination(Path("/films"), wanted).failed_page(over.recipe, "clip") == Path(page)


async def test_its_card_is_json_whatever_the_sentence_holds(over: Over) -> None:
    text = over.write_failed(ReelflowError('</script> "quoted" & more')).read_text()
    card = re.search(r'<script type="application/json" id="reelflow-card">(.*?)</script>', text)
    assert card
    assert json.loads(card[1])["error"] == '</script> "quoted" & more'


@pytest.mark.parametrize(("said", "shown"), [
    ("Run `reelflow doctor`.", "Run <code>reelflow doctor</code>."),
    ("a `<b>` & `c`", "a <code>&lt;b&gt;</code> &amp; <code>c</code>"),
    ("clip`s <i>", "clip`s &lt;i&gt;"),
])
def test_what_a_sentence_has_between_backticks_is_code_and_all_of_it_is_escaped(said: str, shown: str) -> None:
    assert str(with_code(said)) == shown
