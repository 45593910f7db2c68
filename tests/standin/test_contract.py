"""The routes answer as the contract says, for good requests and bad ones."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from asking import Media, client_of, decode, ended, generate, submit
from PIL import Image

from reelflow.job.wire import STANDIN_HEADER
from reelflow.models import Kind, Model, ModelTable
from reelflow.standin.server import StandIn, running_standin

FILMS = [name for name in ModelTable.standard().names if ModelTable.standard()[name].kind.result == "film"]
PATH = json.dumps([{"frame": 0, "x": 0.2, "y": 0.5}, {"frame": 124, "x": 0.8, "y": 0.5}])
OCTETS = "application/octet-stream"


def fields_for(model: Model) -> dict[str, str]:
    """The least that the model's form needs."""
    return {"trajectory": PATH} if model.kind is Kind.MOTION else {"prompt": "anime"}


def still_of(media: Media, model: Model) -> Path:
    return media.still if model.kind.source == "picture" else media.film


@pytest.mark.slow
@pytest.mark.parametrize("name", FILMS)
async def test_every_model_and_alias_gives_its_film(name: str, http: httpx.AsyncClient, media: Media) -> None:
    model = ModelTable.standard()[name]
    film = decode(await generate(http, name, still_of(media, model), **fields_for(model)))
    assert film.size == (model.width, model.height)
    assert film.rate == model.fps
    assert len(film.frames) == round((model.seconds or 0.4) * (model.fps or 0))
    assert film.tracks == ["video"]


@pytest.mark.parametrize("name", ["lucy-2.1", "lucy-restyle-latest", "lucy-clip"])
async def test_a_film_comes_back_in_the_models_frame_and_rate(
    name: str, http: httpx.AsyncClient, media: Media
) -> None:
    model = ModelTable.standard()[name]
    film = decode(await generate(http, name, media.film, prompt="noir"))
    assert film.size == (model.width, model.height)
    assert film.rate == model.fps
    assert len(film.frames) == round(0.4 * (model.fps or 0))
    assert film.seconds == pytest.approx(len(film.frames) / film.rate, abs=0.001)
    assert film.tracks == ["video"]
    assert film.colour == (1, 1, 1)
    assert "stand-in" in film.comment


async def test_an_upright_film_gives_an_upright_result(http: httpx.AsyncClient, media: Media) -> None:
    assert decode(await generate(http, "lucy-restyle-2", media.tall, prompt="pixel")).size == (704, 1280)


async def test_a_submit_answers_pending_and_each_answer_is_marked(own_http: httpx.AsyncClient, media: Media) -> None:
    answer = await submit(own_http, "lucy-2.5", media.film, prompt="")
    assert answer.json() == {"job_id": answer.json()["job_id"], "status": "pending"}
    assert answer.json()["job_id"].startswith("job_")
    for path in ("/v1/jobs/nothing", "/nothing", f"/v1/jobs/{answer.json()['job_id']}"):
        assert (await own_http.get(path)).headers[STANDIN_HEADER] == "1"
    assert answer.headers[STANDIN_HEADER] == "1"


@pytest.mark.parametrize("resolution,size", [(None, (1280, 704)), ("720p", (1280, 704)), ("480p", (880, 480))])
async def test_an_image_edit_answers_with_a_png(
    resolution: str | None, size: tuple[int, int], http: httpx.AsyncClient, shared: StandIn, media: Media
) -> None:
    fields = {"prompt": "an oil painting", **({"resolution": resolution} if resolution else {})}
    pictures, jobs = shared.pictures_made, shared.jobs_made
    answer = await http.post(
        "/v1/generate/lucy-image-2", data=fields, files={"data": ("blob", media.still.read_bytes(), OCTETS)}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == ("PNG", size)
    assert (shared.pictures_made, shared.jobs_made) == (pictures + 1, jobs)


@pytest.mark.parametrize("path", ["/v1/jobs/lucy-9", "/v1/jobs/lucy-image-2", "/v1/generate/lucy-2.5", "/v1/other"])
async def test_what_is_not_there_is_404(path: str, http: httpx.AsyncClient, media: Media) -> None:
    answer = await http.post(path, data={"prompt": "x"}, files={"data": ("data", media.film.read_bytes(), OCTETS)})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("job_id", ["unknown", "job_abc", "..%2Fjob_x", "%2e%2e", "job_" + "a" * 5000])
async def test_an_unknown_job_is_404(job_id: str, http: httpx.AsyncClient) -> None:
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/content"):
        answer = await http.get(path)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


async def test_a_missing_key_is_422_and_a_wrong_one_401(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    files = {"data": ("data", media.film.read_bytes(), OCTETS)}
    async with running_standin(work_dir, ffmpeg=ffmpeg, api_key="right") as running:
        async with httpx.AsyncClient(base_url=running.url) as http:
            missing = await http.post("/v1/jobs/lucy-2.5", data={"prompt": "x"}, files=files)
            wrong = await http.post("/v1/jobs/lucy-2.5", files=files, headers={"X-API-KEY": "wrong"})
            status = await http.get("/v1/jobs/x", headers={"X-API-KEY": "wrong"})
            right = await http.get("/v1/jobs/x", headers={"X-API-KEY": "right"})
        assert missing.status_code == 422
        assert missing.json()["detail"][0]["loc"] == ["header", "x-api-key"]
        assert missing.json()["detail"][0]["type"] == "missing"
        assert (wrong.status_code, status.status_code, right.status_code) == (401, 401, 404)
        assert running.jobs_made == 0


BAD: list[tuple[str, str, dict[str, str], bool]] = [
    # model, field that is named, fields, with a reference image
    ("lucy-clip", "prompt", {}, False),
    ("lucy-clip", "prompt", {"prompt": "  "}, False),
    ("lucy-2.5", "prompt", {"prompt": "x" * 1001}, False),
    ("lucy-restyle-2", "prompt", {}, False),
    ("lucy-restyle-2", "prompt", {"prompt": "anime"}, True),
    ("lucy-restyle-2", "enhance_prompt", {"enhance_prompt": "true"}, True),
    ("lucy-2.5", "seed", {"prompt": "", "seed": "4294967296"}, False),
    ("lucy-2.5", "seed", {"prompt": "", "seed": "-1"}, False),
    ("lucy-2.5", "seed", {"prompt": "", "seed": "1.5"}, False),
    ("lucy-2.5", "resolution", {"prompt": "", "resolution": "480p"}, False),
    ("lucy-2.5", "self_anchor", {"prompt": "", "self_anchor": "maybe"}, False),
    ("lucy-2.1", "self_anchor", {"prompt": "", "self_anchor": "true"}, False),
    ("lucy-2.5", "trajectory", {"prompt": "", "trajectory": PATH}, False),
    ("lucy-motion", "trajectory", {}, False),
    ("lucy-motion", "trajectory", {"trajectory": "[]"}, False),
    ("lucy-motion", "trajectory", {"trajectory": '[{"frame": 0, "x": 0, "y": 0}]'}, False),
    ("lucy-motion", "trajectory", {"trajectory": '[{"frame":0,"x":0,"y":0},{"frame":5,"x":1.2,"y":0}]'}, False),
    ("lucy-motion", "trajectory", {"trajectory": "__import__('os').getcwd()"}, False),
    ("lucy-motion", "trajectory", {"trajectory": "[" * 9000}, False),
    ("lucy-motion", "trajectory", {"trajectory": '{"frame": 0}'}, False),
]


@pytest.mark.parametrize(("model", "field", "fields", "reference"), BAD)
async def test_a_broken_rule_is_422_and_no_job(
    model: str, field: str, fields: dict[str, str], reference: bool, http: httpx.AsyncClient, shared: StandIn,
    media: Media,
) -> None:
    source, jobs = still_of(media, ModelTable.standard()[model]), shared.jobs_made
    answer = await submit(http, model, source, reference=media.red if reference else None, **fields)
    assert answer.status_code == 422, answer.text
    [told] = answer.json()["detail"]
    assert set(told) == {"loc", "msg", "type", "input"}
    assert told["loc"] == ["body", field]
    assert shared.jobs_made == jobs


async def test_what_is_no_film_is_refused_whatever_it_calls_itself(http: httpx.AsyncClient, media: Media) -> None:
    evil = b"ffconcat version 1.0\nfile /etc/passwd\n"
    for content in (b"", b"not a film", evil, media.sound.read_bytes(), media.still.read_bytes(),
                    media.film.read_bytes()[:200]):
        answer = await http.post(
            "/v1/jobs/lucy-2.5", data={"prompt": ""}, files={"data": ("film.mp4", content, "video/mp4")}
        )
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"][0]["loc"] == ["body", "data"]
        assert str(answer.json()["detail"][0]["msg"]).startswith("data ")
        assert "incoming" not in answer.text
    film_as_picture = await submit(http, "lucy-motion", media.film, trajectory=PATH)
    assert film_as_picture.json()["detail"][0]["loc"] == ["body", "data"]
    film_as_reference = await submit(http, "lucy-vton-3", media.film, reference=media.film)
    assert film_as_reference.json()["detail"][0]["loc"] == ["body", "reference_image"]


async def test_a_form_that_is_no_form_is_422(http: httpx.AsyncClient, shared: StandIn, media: Media) -> None:
    jobs = shared.jobs_made
    answers = [
        await http.post("/v1/jobs/lucy-2.5", json={"prompt": "x"}),
        await http.post("/v1/jobs/lucy-2.5", content=b"--x\r\nContent-Disposition: form-data; name=\"da",
                        headers={"content-type": "multipart/form-data; boundary=x"}),
        await http.post("/v1/jobs/lucy-2.5", headers={"content-type": f"multipart/form-data; boundary={'x' * 257}"}),
        await http.post("/v1/jobs/lucy-2.5", data={"prompt": "no film"}),
        await http.post("/v1/jobs/lucy-2.5", files={"data": (None, "a text and no file")}),
    ]
    assert [answer.status_code for answer in answers] == [422] * 5
    assert shared.jobs_made == jobs


async def test_a_sender_that_goes_away_leaves_nothing(
    own_http: httpx.AsyncClient, standin: StandIn, work_dir: Path
) -> None:
    host, port = standin.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/jobs/lucy-2.5 HTTP/1.1\r\nHost: x\r\nX-API-KEY: k\r\nContent-Length: 100000\r\n"
        b"Content-Type: multipart/form-data; boundary=B\r\n\r\n--B\r\nContent-Disposition: form-data; "
        b'name="data"; filename="data"\r\n\r\n' + b"x" * 50_000
    )
    await writer.drain()
    while not list(work_dir.glob("incoming-*/*/*")):
        await asyncio.sleep(0.01)
    writer.close()
    while list(work_dir.glob("incoming-*/*/*")):
        await asyncio.sleep(0.01)
    assert (standin.posts, standin.jobs_made, standin.received) == (1, 0, [])
    assert (await own_http.get("/v1/jobs/x")).status_code == 404


async def test_the_clip_model_takes_five_seconds(http: httpx.AsyncClient, ffmpeg: Path, tmp_path: Path) -> None:
    from reelflow.media.run import run_ffmpeg

    long = tmp_path / "long.mp4"
    await run_ffmpeg(["-f", "lavfi", "-i", "color=s=64x64:r=5:d=6", "-preset", "ultrafast", str(long)], ffmpeg=ffmpeg,
                     timeout=20)
    answer = await submit(http, "lucy-clip", long, prompt="anime")
    assert "6.0 s" in answer.json()["detail"][0]["msg"]


QUIRKS: list[tuple[str, dict[str, Any]]] = [
    ("lucy-2.5", {"prompt": "", "enhance_prompt": "True", "self_anchor": "False"}),
    ("lucy-2.5", {"prompt": "rain", "enhance_prompt": "true", "self_anchor": "false", "resolution": "720p"}),
    ("lucy-2.5", {}),
    ("lucy-motion", {"trajectory": "[{'frame': 0, 'x': 0.2, 'y': 0.5}, {'frame': 60, 'x': 0.8, 'y': 0.5}]"}),
]


@pytest.mark.parametrize(("model", "fields"), QUIRKS)
async def test_the_quirks_of_the_official_clients_are_taken(
    model: str, fields: dict[str, str], own_http: httpx.AsyncClient, media: Media
) -> None:
    source = still_of(media, ModelTable.standard()[model])
    answer = await own_http.post(
        f"/v1/jobs/{model}", data=fields, files={"data": ("blob", source.read_bytes(), "text/plain")}
    )
    assert answer.status_code == 200, answer.text


async def test_content_type_before_disposition_is_taken(own_http: httpx.AsyncClient, media: Media) -> None:
    body = b"".join((
        b"--B\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n",
        "ölbild".encode(),
        b"\r\n--B\r\nContent-Type: application/octet-stream\r\n",
        b"Content-Disposition: form-data; name=\"data\"; filename=\"data\"\r\n\r\n", media.film.read_bytes(),
        b"\r\n--B--\r\n",
    ))
    answer = await own_http.post(
        "/v1/jobs/lucy-2.5", content=body, headers={"content-type": "multipart/form-data; boundary=B"}
    )
    assert answer.status_code == 200, answer.text


async def test_the_recorder_notes_what_was_sent_but_not_the_key(
    own_http: httpx.AsyncClient, standin: StandIn, media: Media
) -> None:
    await submit(own_http, "lucy-2.5", media.film, prompt="snow", seed="7")
    [received] = standin.received
    assert received.path == "/v1/jobs/lucy-2.5"
    assert [(part.name, part.text, part.filename, part.size) for part in received.parts] == [
        ("prompt", "snow", None, 4), ("seed", "7", None, 1), ("data", None, "data", media.film.stat().st_size),
    ]
    assert "any key" not in json.dumps(received.to_json())


async def test_aliases_are_resolved(http: httpx.AsyncClient) -> None:
    one = await http.post("/v1/models/resolve", json={"model": "lucy-latest"})
    two = await http.post("/v1/models/resolve", json={"models": ["lucy-restyle-latest", "lucy-2.1"]})
    none = await http.post("/v1/models/resolve", json={"model": "lucy-9"})
    odd = await http.post("/v1/models/resolve", content=b"[1]")
    assert one.json() == {"model": "lucy-2.6"}
    assert two.json() == {"models": {"lucy-restyle-latest": "lucy-restyle-2", "lucy-2.1": "lucy-2.1"}}
    assert (none.status_code, odd.status_code) == (422, 422)


async def test_files_are_kept_shown_and_deleted(http: httpx.AsyncClient, media: Media) -> None:
    files = {"file": ("me.png", media.red.read_bytes(), "image/png")}
    kept = (await http.post("/v1/files", files=files, data={"ttl_seconds": "persistent"})).json()
    assert set(kept) == {"id", "filename", "mime_type", "size_bytes", "created_at", "expires_at"}
    assert kept["id"].startswith("file_")
    assert (kept["filename"], kept["mime_type"], kept["expires_at"]) == ("me.png", "image/png", None)
    assert kept["size_bytes"] == media.red.stat().st_size
    assert (await http.get(f"/v1/files/{kept['id']}")).json() == kept
    assert (await http.delete(f"/v1/files/{kept['id']}")).status_code == 204
    assert (await http.get(f"/v1/files/{kept['id']}")).status_code == 404
    assert (await http.delete(f"/v1/files/{kept['id']}")).status_code == 404
    for ttl in ("59", "2592001", "9" * 5000, "for ever"):
        assert (await http.post("/v1/files", files=files, data={"ttl_seconds": ttl})).status_code == 422
    assert (await http.post("/v1/files", data={"ttl_seconds": "60"})).status_code == 422


async def test_content_is_served_in_ranges(http: httpx.AsyncClient, media: Media) -> None:
    job_id = (await submit(http, "lucy-2.1", media.film, prompt="plain")).json()["job_id"]
    assert await ended(http, job_id) == "completed"
    path = f"/v1/jobs/{job_id}/content"
    whole = await http.get(path)
    size = len(whole.content)
    assert (whole.headers["content-type"], int(whole.headers["content-length"])) == ("video/mp4", size)
    rest = await http.get(path, headers={"Range": "bytes=100-", "If-Range": whole.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, whole.content[100:])
    assert rest.headers["content-range"] == f"bytes 100-{size - 1}/{size}"
    changed = await http.get(path, headers={"Range": "bytes=100-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
    assert (await http.get(path, headers={"Range": f"bytes={size}-"})).status_code == 416


async def test_content_of_an_unfinished_job_is_404(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    stuck = running_standin(work_dir, ffmpeg=ffmpeg, faults=["stuck-pending"])
    async with stuck as running, client_of(running) as http:
        job_id = (await submit(http, "lucy-2.1", media.film, prompt="plain")).json()["job_id"]
        assert (await http.get(f"/v1/jobs/{job_id}/content")).status_code == 404


async def test_a_model_of_the_settings_is_served_too(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    models = ModelTable.standard().with_rows({"lucy-3": Model("lucy-3", Kind.EDIT, 320, 192, 24)})
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=models) as running, client_of(running) as http:
        film = decode(await generate(http, "lucy-3", media.film, prompt="plain"))
    assert (film.size, film.rate, len(film.frames)) == ((320, 192), 24, 10)
