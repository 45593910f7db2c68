"""What a submit's ending means for the money, and what each call makes of what comes back."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
import socket
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from buying import MODELS, Shop, film_wish, picture_wish
from pydantic import SecretStr
from scripted import Answer, answer, hang, hang_up, reset, scripted, stall, then

from reelflow.errors import (
    BadInput,
    FormRefused,
    KeyRefused,
    QueueBusy,
    QueueFault,
    QueueRefused,
    QueueUnreachable,
    ReelflowError,
    SubmitUnknown,
)
from reelflow.job.client import QueueClient
from reelflow.job.wire import JobCompleted, JobNotCompleted, Wish

KEY = "a-key-nobody-may-see"
ACCEPTED = answer(200, '{"job_id": "job-1", "status": "pending"}')


def client_of(url: str) -> QueueClient:
    return QueueClient(url, SecretStr(KEY), connect_timeout=1.0, read_timeout=0.3, write_timeout=0.5)


@pytest.mark.parametrize(("reply", "error", "sentence"), [
    (hang_up, SubmitUnknown, "may or may not have been bought"),
    (reset, SubmitUnknown, "may or may not have been bought"),
    (hang, SubmitUnknown, "no byte of an answer in time"),
    (then(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"job", hang_up), SubmitUnknown, "most likely been bought"),
    (b"SMTP ready\r\n\r\n", SubmitUnknown, "may or may not have been bought"),
    (answer(200, "<html><title>Hi</title>"), SubmitUnknown, "without a job id (a web page, 'Hi')"),
    (answer(200, '{"id": 7}'), SubmitUnknown, '{"id": 7}'),
    (answer(200), SubmitUnknown, "nothing at all"),
    (answer(204), SubmitUnknown, "without a job id"),
    (answer(500, '{"detail": "boom"}'), SubmitUnknown, "answered 500 to the form for lucy-restyle-2: boom"),
    (answer(502, "<html>" + "x" * 90_000), SubmitUnknown, "502"),
    (answer(504), SubmitUnknown, "504"),
    (answer(408), SubmitUnknown, "408"),
    (answer(303, Location="http://127.0.0.1:9/"), SubmitUnknown, "303"),
    (answer(308, Location="http://127.0.0.1:9/"), QueueRefused, "moved to http://127.0.0.1:9/"),
    (answer(429), QueueBusy, "nothing was bought"),
    (answer(503, "<html><title>Down</title>"), QueueBusy, "503: a web page, 'Down'"),
    (answer(401, '{"detail": "Invalid API key"}'), KeyRefused, "check DECART_API_KEY"),
    (answer(403), KeyRefused, "check DECART_API_KEY"),
    (answer(422, '{"detail": [{"loc": ["header", "x-api-key"], "msg": "Field required"}]}'), KeyRefused, "x-api-key"),
    (answer(422, '{"detail": [{"loc": ["body", "prompt"], "msg": "long"}, {"loc": ["body", "seed"], "msg": "no"}]}'),
     FormRefused, "prompt: long; seed: no"),
    (answer(422, '{"detail": "The video is too long"}'), FormRefused, "(422): The video is too long."),
    (answer(413, "<html>nginx</html>"), FormRefused, "413): a web page"),
    (answer(404, '{"detail": "Not Found"}'), QueueRefused, "Not Found"),
])
async def test_what_an_answer_to_a_form_means(
    reply: Answer, error: type[ReelflowError], sentence: str, media: Path
) -> None:
    async with scripted(reply) as server, client_of(server.url) as client:
        with pytest.raises(error) as raised:
            await client.submit(film_wish(media))
        assert type(raised.value) is error
        assert sentence in raised.value.message
        assert raised.value.message.endswith(".")
        assert len(raised.value.message) < 700
        assert len(server.asked) == 1


async def test_a_form_whose_end_never_left_bought_nothing(tmp_path: Path) -> None:
    """The server hangs up, or stops reading, in the middle of a form that no buffer on the way can hold."""
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 * 2**20)
    wish = Wish(MODELS["lucy-2.5"], large, prompt="x")
    for act in (hang_up, reset, stall):
        async with scripted(act, read_body=False) as server, client_of(server.url) as client:
            with pytest.raises(QueueUnreachable, match="nothing was bought") as raised:
                await client.submit(wish)
            assert ("no byte taken within 0.5 s" in raised.value.message) is (act is stall)


async def test_a_form_that_is_taken_slowly_goes_out_whole(tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(32 * 2**20)
    took = []

    async def take_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun, came = time.monotonic(), 0
        while came < 32 * 2**20:
            came += len(await reader.read(2**20))
            await asyncio.sleep(0.01)
        writer.write(ACCEPTED)
        took.append(time.monotonic() - begun)

    async with (
        scripted(take_slowly, read_body=False) as server,
        QueueClient(server.url, SecretStr(KEY), write_timeout=0.5) as client,
    ):
        assert (await client.submit(Wish(MODELS["lucy-2.5"], large, prompt="x"))).job_id == "job-1"
    assert took[0] > 0.5, "longer in all than any piece may take"


async def test_an_answer_before_the_form_s_end_is_heard(tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 * 2**20)
    refusal = answer(413, '{"detail": "too large"}', Connection="close")
    for act in (hang, hang_up, reset):
        async with scripted(then(refusal, act), read_body=False) as server, client_of(server.url) as client:
            with pytest.raises(QueueRefused, match="too large"):
                await client.submit(Wish(MODELS["lucy-2.5"], large))


async def test_a_job_s_id_is_not_lost_for_what_stands_around_it(media: Path) -> None:
    accepted = '{"job_id": "job-1", "status": "pending"}'
    for reply in (
        answer(200, accepted, X_Trace="a" * 40_000),
        b"HTTP/1.1 200 \xe9t\xe9\r\nX-Trace: \xc3\xa9\r\n" + answer(200, accepted).partition(b"\r\n")[2],
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer(200, accepted),
        then(b"HTTP/1.0 200 OK\r\n\r\n" + accepted.encode(), hang_up),
    ):
        async with scripted(reply) as server, client_of(server.url) as client:
            assert (await client.submit(film_wish(media))).job_id == "job-1"


async def test_an_answer_that_is_no_http_is_told_in_a_few_words(media: Path) -> None:
    async with scripted(b"HTTP/1.1 200 OK\r\nX Y: 1\r\n\r\n") as server, client_of(server.url) as client:
        with pytest.raises(SubmitUnknown, match=r"no answer came \(no readable answer: Invalid header token\)"):
            await client.submit(film_wish(media))


async def test_no_connection_names_the_address(media: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with client_of(url) as client:
            with pytest.raises(QueueUnreachable, match=url):
                await client.submit(film_wish(media))
            with pytest.raises(QueueFault, match=url):
                await client.status("job-1")
    async with client_of("http://no-such-host.invalid") as client:
        with pytest.raises(QueueUnreachable, match=r"no-such-host\.invalid"):
            await client.submit(film_wish(media))


@pytest.mark.parametrize(("header", "seconds"), [
    ("7", 7.0), ("1.5", 1.5), ("99999999", 600.0), ("soon", None), ("-3", None),
    ("in 30 s", 29.0), ("30 s ago", 0.0), ("Fri, 99 Foo 2026", None),
])
async def test_retry_after_in_seconds_or_as_a_date(header: str, seconds: float | None, media: Path) -> None:
    shift = {"in 30 s": 30, "30 s ago": -30}.get(header)
    if shift is not None:
        header = formatdate(time.time() + shift, usegmt=True)
    async with scripted(answer(429, Retry_After=header)) as server, client_of(server.url) as client:
        with pytest.raises(QueueBusy) as raised:
            await client.submit(film_wish(media))
        assert raised.value.retry_after == (seconds if seconds is None else pytest.approx(seconds, abs=2))


async def test_the_key_is_shown_nowhere(media: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = answer(500, f"you sent X-API-KEY: {KEY}")
    async with scripted(echo) as server, client_of(server.url) as client:
        with pytest.raises(SubmitUnknown) as raised:
            await client.submit(film_wish(media))
        with pytest.raises(QueueFault) as fault:
            await client.status("job-1")
        assert server.asked[0].headers["x-api-key"] == KEY
        shown = repr(client) + repr(raised.value) + raised.value.message + fault.value.message
        assert "[key]" in shown
        assert KEY not in shown
    assert KEY not in caplog.text
    for bad in ("", "two\nlines", "schlüssel"):
        with pytest.raises(BadInput, match="DECART_API_KEY") as refused:
            QueueClient("http://127.0.0.1:1", SecretStr(bad))
        assert not bad or bad not in str(refused.value)


async def test_an_address_without_a_host_is_refused() -> None:
    with pytest.raises(BadInput, match="names no host"):
        QueueClient("http://", SecretStr("k"))
    client = QueueClient("http://user:secret@127.0.0.1:1/v0/", SecretStr("k"))
    assert "secret" not in repr(client) + client.address


async def test_each_form_has_a_connection_of_its_own_and_asking_keeps_one(media: Path) -> None:
    pending = answer(200, '{"job_id": "job-1", "status": "pending"}')
    async with scripted(pending) as server, client_of(server.url) as client:
        for _ in range(3):
            await client.status("job-1")
        for _ in range(3):
            await client.submit(film_wish(media))
        of_asks = {asked.connection for asked in server.asked[:3]}
        of_forms = {asked.connection for asked in server.asked[3:]}
    assert (len(of_asks), len(of_forms)) == (1, 3)
    assert not of_asks & of_forms


async def test_a_job_s_id_stays_one_piece_of_the_path() -> None:
    async with scripted(answer(200, '{"job_id": "x", "status": "pending"}')) as server, client_of(server.url) as client:
        for job_id in ("job_1-a.b~c:d", "a/../b?c#d", "ä b", "50%"):
            await client.status(job_id)
    assert [asked.path for asked in server.asked] == [
        "/v1/jobs/job_1-a.b~c:d", "/v1/jobs/a%2F..%2Fb%3Fc%23d", "/v1/jobs/%C3%A4%20b", "/v1/jobs/50%25",
    ]


async def test_a_question_goes_out_once_also_where_a_kept_connection_breaks() -> None:
    """When it is asked again is for whoever waits to decide."""
    pending = answer(200, '{"job_id": "job-1", "status": "pending"}')
    for act in (hang_up, reset):
        async with scripted(pending, act, pending) as server, client_of(server.url) as client:
            await client.status("job-1")
            with pytest.raises(QueueFault, match="could not be reached"):
                await client.status("job-1")
            assert [asked.connection for asked in server.asked] == [1, 1]
            await client.status("job-1")
            assert len(server.asked) == 3


async def test_an_answer_that_somebody_on_the_way_has_packed_is_read(media: Path) -> None:
    said = gzip.compress(b'{"job_id": "job-1", "status": "completed"}')
    async with scripted(answer(200, said, Content_Encoding="gzip")) as server, client_of(server.url) as client:
        assert (await client.status("job-1")).status == "completed"
        assert (await client.submit(film_wish(media))).job_id == "job-1"


async def test_forms_and_questions_go_by_the_proxy_that_the_environment_names(
    media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = answer(200, '{"job_id": "job-1", "status": "pending"}')
    async with scripted(pending) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))
        async with client_of("http://queue.invalid") as client:
            await client.status("job-1")
            await client.submit(film_wish(media))
        assert [asked.path for asked in proxy.asked] == [
            "http://queue.invalid/v1/jobs/job-1", "http://queue.invalid/v1/jobs/lucy-restyle-2"]
        monkeypatch.setenv("no_proxy", "queue.invalid")
        async with client_of("http://queue.invalid") as client:
            with pytest.raises(QueueFault, match="could not be reached"):
                await client.status("job-1")
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(BadInput, match="of the kind socks5"):
        client_of("http://queue.invalid")


async def test_a_base_url_may_have_a_path() -> None:
    async with scripted(answer(200, '{"job_id": "x", "status": "pending"}')) as server:
        async with client_of(f"{server.url}/proxy/") as client:
            await client.status("x")
        assert server.asked[0].path == "/proxy/v1/jobs/x"


@pytest.mark.parametrize(("said", "resolved"), [
    ('{"model": "lucy-2.6"}', "lucy-2.6"), ('"lucy-2.6"', "lucy-2.6"),
    ('{"resolved": "lucy-2.6", "model": "lucy-latest"}', "lucy-2.6"),
    ('{"model": "lucy-latest", "canonical_id": "lucy-2.6"}', "lucy-2.6"),
    ('{"models": {"lucy-latest": "lucy-2.6"}}', "lucy-2.6"),
    ('{"lucy-latest": {"id": "lucy-2.6"}}', "lucy-2.6"),
    ('{"models": [{"alias": "other", "id": "no"}, {"alias": "lucy-latest", "id": "lucy-2.6"}]}', "lucy-2.6"),
    ('["lucy-2.6"]', "lucy-2.6"), ('{"resolved": {"model": "lucy-2.6"}}', "lucy-2.6"),
])
async def test_a_name_is_resolved_from_any_shape_of_answer(said: str, resolved: str) -> None:
    async with scripted(answer(200, said)) as server, client_of(server.url) as client:
        assert await client.resolve("lucy-latest") == resolved


@pytest.mark.parametrize("said", ["{}", "no json", "[]", "null", "[" * 5000])
async def test_a_name_is_never_taken_for_itself_where_the_answer_can_t_be_read(said: str) -> None:
    async with scripted(answer(200, said)) as server, client_of(server.url) as client:
        with pytest.raises(QueueRefused, match=r"did not answer readably, so that .* nothing was sent"):
            await client.resolve("lucy-latest")


async def test_a_queue_that_can_t_resolve_a_name_is_told_with_a_way_out() -> None:
    said = (answer(404), answer(422, '{"detail": "Unknown model"}'), answer(401), answer(500), answer(503))
    async with scripted(*said) as server, client_of(server.url) as client:
        for status in (404, 422):
            with pytest.raises(QueueRefused, match="name the model itself") as refusal:
                await client.resolve("lucy-new")
            assert refusal.value.status == status
        for error in (KeyRefused, QueueFault, QueueBusy):
            with pytest.raises(error):
                await client.resolve("lucy-new")


async def test_the_whole_way_without_a_ledger(shop: Shop, tmp_path: Path) -> None:
    seen: list[str] = []
    done = await shop.client.submit_and_poll(
        film_wish(shop.media), tmp_path / "out.mp4", poll_seconds=0.1,
        on_status_change=lambda job: seen.append(job.status),
    )
    assert isinstance(done, JobCompleted)
    assert done.path.stat().st_size > 1000
    assert seen[-1] == "completed"
    assert len(seen) == len(set(seen))
    assert shop.client.stand_in
    shop.standin.faults.add("job-fails")
    failed = await shop.client.submit_and_poll(film_wish(shop.media), tmp_path / "no.mp4", poll_seconds=0.1)
    assert isinstance(failed, JobNotCompleted)
    assert not (tmp_path / "no.mp4").exists()


async def test_a_picture_is_edited_at_once(shop: Shop, tmp_path: Path) -> None:
    made = await shop.client.edit_image(picture_wish(shop.media), tmp_path / "out.png")
    assert made.read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.glob("*out*")] == ["out.png"]


async def test_a_picture_that_is_cut_short_may_be_paid(media: Path, tmp_path: Path) -> None:
    cut = then(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 500\r\n\r\n\x89PNG", hang_up)
    for reply in (cut, answer(200, "<html>", Content_Type="text/html"), answer(200)):
        async with scripted(reply) as server, client_of(server.url) as client:
            with pytest.raises(SubmitUnknown, match="most likely been paid"):
                await client.edit_image(picture_wish(media), tmp_path / "out.png")
    assert not list(tmp_path.iterdir())


async def test_what_we_send_is_what_the_official_sdk_sends(shop: Shop) -> None:
    from decart import DecartClient, models

    film = shop.media / "film.mp4"
    still = shop.media / "still.png"
    async with DecartClient(api_key="k", base_url=shop.standin.url) as official:
        await official.queue.submit({
            "model": models.video("lucy-restyle-2"), "prompt": "Grüße, \"quoted\"\r\nline", "data": film.open("rb"),
            "seed": 7, "resolution": "720p", "enhance_prompt": False,
        })
        await official.queue.submit({
            "model": models.video("lucy-2.5"), "prompt": "", "data": film.open("rb"),
            "reference_image": still.open("rb"), "seed": 2**32 - 1,
        })
    await shop.client.submit(Wish(MODELS["lucy-restyle-2"], film, prompt="Grüße, \"quoted\"\r\nline", seed=7,
                                  resolution="720p", enhance_prompt=False))
    await shop.client.submit(Wish(MODELS["lucy-2.5"], film, reference_image=still, seed=2**32 - 1))

    def shown(number: int) -> tuple[str, dict[str, tuple[str | None, str]]]:
        form = shop.standin.received[number]
        # The SDK writes booleans as Python does; the contract has the queue take both.
        return form.path, {
            part.name: ((part.text or "").lower() if part.name == "enhance_prompt" else part.text, part.sha256
                        if part.name != "enhance_prompt" else "") for part in form.parts
        }

    assert [shown(2), shown(3)] == [shown(0), shown(1)]
    data = next(part for part in shop.standin.received[3].parts if part.name == "data")
    assert (data.filename, data.content_type) == ("data.mp4", "video/mp4")
    assert data.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()


async def test_a_form_is_as_long_as_it_says_and_counted_as_it_leaves(media: Path) -> None:
    counted: list[tuple[int, int | None]] = []
    async with scripted(ACCEPTED) as server, client_of(server.url) as client:
        await client.submit(film_wish(media), on_bytes=lambda gone, total: counted.append((gone, total)))
        body, length = server.asked[0].body, int(server.asked[0].headers["content-length"])
    assert len(body) == length
    assert counted[-1] == (length, length)
    assert [gone for gone, _ in counted] == sorted({gone for gone, _ in counted})


async def test_a_file_that_shrinks_or_goes_while_it_is_sent_buys_nothing(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"

    def cut(gone: int, total: int | None) -> None:
        if film.exists() and film.stat().st_size == 3_000_000:
            film.write_bytes(b"x")

    film.write_bytes(bytes(3_000_000))
    async with scripted(ACCEPTED) as server, client_of(server.url) as client:
        with pytest.raises(BadInput, match="became shorter"):
            await client.submit(Wish(MODELS["lucy-2.5"], film), on_bytes=cut)
        film.unlink()
        with pytest.raises(BadInput, match="can't be read: No such file"):
            await client.submit(Wish(MODELS["lucy-2.5"], film))
        assert server.asked == []


async def test_text_that_is_no_text_is_refused(media: Path) -> None:
    async with client_of("http://127.0.0.1:9") as client:
        with pytest.raises(BadInput, match="prompt holds characters"):
            await client.submit(film_wish(media, prompt="\ud800"))


async def test_many_at_once_on_one_pool(media: Path) -> None:
    async with scripted(ACCEPTED) as server, QueueClient(server.url, SecretStr("k"), max_connections=2) as client:
        jobs = await asyncio.gather(*(client.submit(film_wish(media)) for _ in range(12)))
    assert len(jobs) == len(server.asked) == 12
