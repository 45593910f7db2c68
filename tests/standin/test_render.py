"""What the stand-in draws: looks that differ, films that are the seed's, cameras that follow their path."""

from __future__ import annotations

import asyncio
import io
import json
from itertools import combinations, pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest
from asking import Media, client_of, decode, generate
from PIL import Image

from reelflow.media.geometry import Box, Size
from reelflow.media.run import find_ffmpeg, run_ffmpeg
from reelflow.models import Kind, Model, ModelTable, Point
from reelflow.standin.bars import inside_bars
from reelflow.standin.camera import places
from reelflow.standin.effects import EFFECTS
from reelflow.standin.looks import LOOKS
from reelflow.standin.opened import film_input
from reelflow.standin.prompt import read_prompt
from reelflow.standin.render import Order, film_arguments, picture_arguments, render
from reelflow.standin.server import running_standin


def look_of(prompt: str, seed: int = 0) -> str:
    return read_prompt(prompt, seed, always=True).told


@pytest.mark.parametrize(("prompt", "told"), [
    ("in the style of a Japanese anime", "anime"),
    ("Aquarelle, please", "watercolour"),
    ("WATERCOLOR!", "watercolour"),
    ("a pencil-drawing", "sketch"),
    ("8-bit arcade game", "pixel"),
    ("pop art poster", "comic"),
    ("make it rain and snow", "rain, snow"),
    ("light snow falls", "snow"),
    ("Heavy snow", "heavy snow"),
    ("a blizzard", "heavy snow"),
    ("a snow storm", "heavy snow"),
    ("a storm at night", "night, heavy rain"),
    ("it rains heavily", "heavy rain"),
    ("a heavy truck in the fog", "fog"),
    ("anime in the fog", "anime, fog"),
    ("leave it unchanged", "plain"),
    ("Van Gogh at night", "oil, night"),
    ("brainstorm", look_of("brainstorm")),
])
def test_a_prompt_is_read_by_its_words(prompt: str, told: str) -> None:
    assert look_of(prompt) == told


def test_an_unknown_prompt_gets_a_look_of_its_own_and_the_seed_s() -> None:
    assert look_of("a dog on Mars", 1) == look_of("A  dog on mars", 1)
    assert len({look_of("a dog on Mars", seed) for seed in range(60)}) > 5
    assert "plain" not in {look_of("a dog on Mars", seed) for seed in range(200)}
    assert look_of("") == look_of("")
    assert read_prompt("a red shirt", 1, always=False).told == "as it is"


def test_no_text_of_a_user_s_reaches_a_command(tmp_path: Path) -> None:
    evil = "anime';[0]drawtext=textfile=/etc/passwd[out];movie=/etc/passwd"
    order = Order(Kind.RESTYLE, 320, 176, 22, 1.0, prompt=evil)
    arguments = film_arguments(order, tmp_path, tmp_path / "out.mp4", palette=None, picture=None, crooked=None)
    assert "passwd" not in " ".join(arguments)
    still = picture_arguments(order, tmp_path, tmp_path / "out.png", palette=None, picture=None)
    assert "passwd" not in " ".join(still)


@pytest.fixture(params=["bundled", pytest.param("/usr/bin/ffmpeg", marks=pytest.mark.slow)])
def either_ffmpeg(request: pytest.FixtureRequest) -> Path:
    if request.param != "bundled" and not Path(request.param).exists():
        pytest.skip("Debian's ffmpeg is not installed")
    return find_ffmpeg(request.param)


async def drawn(folder: Path, source: Path, ffmpeg: Path, prompt: str, *, width: int = 320) -> np.ndarray:
    (folder / "source").write_bytes(source.read_bytes())
    order = Order(Kind.IMAGE, width, 176, 25, 0.0, prompt=prompt, seed=3)
    with Image.open(io.BytesIO((await render(order, folder, ffmpeg=ffmpeg, timeout=30)).read_bytes())) as picture:
        return np.asarray(picture.convert("RGB"), dtype=float)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """A picture with soft and hard parts, light and dark ones, in many colours."""
    path = tmp_path_factory.mktemp("scene") / "scene.png"
    asyncio.run(run_ffmpeg(
        ["-f", "lavfi", "-i", "mandelbrot=s=320x176:start_scale=1.2", "-f", "lavfi", "-i", "testsrc2=s=320x176",
         "-filter_complex", "[0]format=gbrp[a];[1]gblur=sigma=3,format=gbrp[b];[a][b]blend=all_mode=average",
         "-frames:v", "1", str(path)], ffmpeg=ffmpeg, timeout=20,
    ))
    return path


async def test_every_look_and_effect_is_seen_and_differs_from_all_others(
    scene: Path, tmp_path: Path, either_ffmpeg: Path
) -> None:
    pictures = {
        look.name: await drawn(tmp_path, scene, either_ffmpeg, look.words[0])
        for look in (*LOOKS, *(form for effect in EFFECTS for form in (effect.usual, effect.heavy) if form))
    }
    assert len(pictures) >= 18
    for one, other in combinations(pictures, 2):
        apart = float(np.abs(pictures[one] - pictures[other]).mean())
        assert apart > 6, f"{one} and {other} differ by {apart:.1f} of 255 only"


@pytest.mark.parametrize("weather", ["snow", "rain"])
async def test_weather_is_light_unless_much_of_it_is_asked_for(weather: str, tmp_path: Path, ffmpeg: Path) -> None:
    await run_ffmpeg(["-f", "lavfi", "-i", "color=c=0x6080a0:s=320x176", "-frames:v", "1", str(tmp_path / "flat.png")],
                     ffmpeg=ffmpeg, timeout=20)
    covered = []
    for prompt in (f"light {weather} falls", weather, f"heavy {weather}"):
        light = (await drawn(tmp_path, tmp_path / "flat.png", ffmpeg, prompt)).mean(axis=2)
        covered.append(float((light > np.median(light) + 12).mean()))
    assert covered[0] == covered[1]
    assert 0.005 < covered[0] < 0.15
    assert covered[2] > 2.5 * covered[0]


async def test_the_plain_look_leaves_the_picture_as_it_is(scene: Path, tmp_path: Path, either_ffmpeg: Path) -> None:
    with Image.open(scene) as picture:
        before = np.asarray(picture.convert("RGB"), dtype=float)
    after = await drawn(tmp_path, scene, either_ffmpeg, "unchanged")
    # Colours are halved in resolution on the way; their mean must not move.
    assert np.abs(before.mean(axis=(0, 1)) - after.mean(axis=(0, 1))).max() < 1.5


async def test_a_look_ends_where_the_picture_ends_and_leaves_the_bars_black(
    scene: Path, tmp_path: Path, either_ffmpeg: Path
) -> None:
    alone, barred = tmp_path / "alone.png", tmp_path / "barred.png"
    for path, bars in ((alone, "null"), (barred, "pad=320:176:50:0")):
        await run_ffmpeg(["-i", str(scene), "-vf", f"crop=240:176,lutrgb=r=val/2+90,{bars}", str(path)],
                         ffmpeg=either_ffmpeg, timeout=20)
    for look in ("watercolour", "anime", "comic", "neon", "clay"):
        picture = await drawn(tmp_path, alone, either_ffmpeg, look, width=240)
        whole = await drawn(tmp_path, barred, either_ffmpeg, look)
        assert whole[:, :49].max() < 4, look
        assert whole[:, 291:].max() < 4, look
        # The outermost columns share their colour's samples with the bars.
        assert np.abs(whole[:, 51:289] - picture[:, 1:-1]).mean() < 0.5, look
        light, wanted = (each.mean(axis=(0, 2)) for each in (whole[:, 50:290], picture))
        assert np.abs(light - wanted).max() < 12, look


async def test_bars_are_what_is_black_in_every_frame(tmp_path: Path, ffmpeg: Path) -> None:
    source = tmp_path / "source"

    async def found(*filters: str) -> Box | None:
        await run_ffmpeg(["-y", "-f", "lavfi", "-i", "color=c=gray:s=96x64:r=20:d=2", "-vf", ",".join(filters),
                          "-pix_fmt", "yuv420p", "-preset", "ultrafast", "-f", "mp4", str(source)], ffmpeg=ffmpeg,
                         timeout=20)
        return await inside_bars(film_input(source), "null", Size(128, 64), 2.0, beside=source, ffmpeg=ffmpeg,
                                 timeout=20)

    assert await found("format=yuv444p", "pad=128:64:11:0") == Box(12, 0, 94, 64)
    assert await found("crop=96:40", "pad=128:64:20:10") == Box(20, 10, 96, 40)
    assert await found("pad=128:64:20:0", "drawbox=x=0:y=0:w=128:h=64:c=white:t=fill:enable='gte(n,25)'") is None
    assert await found("scale=128:64", "drawbox=c=black:t=fill") is None
    assert sorted(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("rate", [20, 30])
async def test_each_frame_shows_the_source_of_its_time(
    rate: int, http: httpx.AsyncClient, tmp_path: Path, ffmpeg: Path
) -> None:
    brighter = tmp_path / "brighter.mp4"
    await run_ffmpeg(
        ["-f", "lavfi", "-i", f"color=s=64x36:r={rate}:d=0.5,format=yuv420p,geq=lum='30+10*N':cb=128:cr=128", "-c:v",
         "libx264", "-qp", "0", str(brighter)], ffmpeg=ffmpeg, timeout=20,
    )
    film = decode(await generate(http, "small", brighter, prompt="unchanged"))
    light = [float(frame.mean()) * 219 / 255 + 16 for frame in film.frames]
    assert len(light) == 10
    for number, got in enumerate(light):
        wanted = 30 + 10 * number / 20 * rate
        assert got == pytest.approx(wanted, abs=2 if rate == 20 else 11)


async def test_a_film_is_its_seed_s(http: httpx.AsyncClient, media: Media) -> None:
    films = [
        await generate(http, "small", media.film, prompt="anime", seed=seed) for seed in ("1", "1", "2")
    ]
    assert films[0] == films[1]
    one, other = decode(films[0]).frames[0], decode(films[2]).frames[0]
    assert float(np.abs(one.astype(float) - other).mean()) > 2


async def test_an_empty_prompt_is_a_look_too(http: httpx.AsyncClient, media: Media) -> None:
    plain = decode(await generate(http, "small", media.film, prompt="plain")).frames[0].astype(float)
    empty = decode(await generate(http, "small", media.film, prompt="")).frames[0].astype(float)
    assert float(np.abs(plain - empty).mean()) > 6


async def test_a_reference_picture_lends_its_colours(http: httpx.AsyncClient, media: Media) -> None:
    red = decode(await generate(http, "small-restyle", media.film, reference=media.red)).frames[0]
    blue = decode(await generate(http, "small-restyle", media.film, reference=media.garment)).frames[0]
    more_red = red.astype(float) - blue
    assert more_red[..., 0].mean() - more_red[..., 2].mean() > 20


async def test_a_garment_is_laid_in_without_its_backdrop(http: httpx.AsyncClient, media: Media) -> None:
    with_it = decode(await generate(http, "small-tryon", media.film, reference=media.garment, prompt="")).frames[0]
    without = decode(await generate(http, "small", media.film, prompt="plain")).frames[0]
    height, width, _ = with_it.shape
    middle = with_it[round(height * 0.7), width // 2].astype(int)
    assert middle[2] > 180
    assert middle[0] < 70
    changed = np.abs(with_it.astype(float) - without).max(axis=2) > 40
    rows, columns = np.nonzero(changed)
    assert abs(columns.mean() / width - 0.5) < 0.03
    assert rows.min() > height * 0.4
    # The white ground of the garment's picture is not laid in: less than its whole box has changed.
    assert changed.mean() < 0.12
    assert np.abs(with_it[: height // 3].astype(float) - without[: height // 3]).mean() < 2


async def test_without_a_garment_a_cloth_is_seen(http: httpx.AsyncClient, media: Media) -> None:
    with_it = decode(await generate(http, "small-tryon", media.film, prompt="a red shirt")).frames[0]
    without = decode(await generate(http, "small", media.film, prompt="plain")).frames[0]
    height, width, _ = with_it.shape
    apart = np.abs(with_it.astype(float) - without).mean(axis=2)
    red, green, blue = with_it[round(height * 0.7), width // 2].astype(int)
    assert red > 2 * max(green, blue)
    assert apart[: height // 4].mean() < 2


@pytest.mark.parametrize(("prompt", "look"), [
    ("film noir, hard shadows", "noir"), ("a film in neon light", "neon"), ("an old film", "vintage"),
])
def test_the_word_film_says_nothing_of_a_look(prompt: str, look: str) -> None:
    assert read_prompt(prompt, 0, always=True).told == look


def test_a_path_goes_through_its_points_and_nowhere_else() -> None:
    points = (Point(10, 0.2, 0.9), Point(50, 0.8, 0.9), Point(90, 0.8, 0.1))
    seen = places(points, 125)
    assert len(seen) == 125
    for point in points:
        assert seen[point.frame] == pytest.approx((point.x, point.y))
    assert seen[:10] == [(0.2, 0.9)] * 10
    assert seen[91:] == [(0.8, 0.1)] * 34
    assert all(0.2 - 1e-9 <= x <= 0.8 + 1e-9 and 0.1 - 1e-9 <= y <= 0.9 + 1e-9 for x, y in seen)
    steps = [abs(after[0] - before[0]) for before, after in pairwise(seen)]
    jerks = [abs(after - before) for before, after in pairwise(steps)]
    assert max(jerks) < 0.003


async def test_the_camera_follows_the_path(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    small = ModelTable.standard().with_rows({"lucy-motion": Model("lucy-motion", Kind.MOTION, 640, 352, 25, seconds=5)})
    points = [{"frame": 0, "x": 0.2, "y": 0.3}, {"frame": 60, "x": 0.5, "y": 0.8}, {"frame": 124, "x": 0.9, "y": 0.4}]
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=small) as running, client_of(running) as http:
        film = decode(await generate(http, "lucy-motion", media.still, trajectory=json.dumps(points)))
    assert (film.size, film.rate, len(film.frames), film.seconds) == ((640, 352), 25, 125, 5.0)
    seen = places(tuple(Point(**point) for point in points), 125)  # type: ignore[arg-type]
    for frame in (0, 30, 60, 90, 124):
        picture = film.frames[frame].astype(float)
        height, width, _ = picture.shape
        x, y = seen[frame]
        row, column = min(height - 3, round(y * height)), min(width - 3, round(x * width))
        patch = picture[max(0, row - 2):row + 3, max(0, column - 2):column + 3].mean(axis=(0, 1))
        # The still's red is its x and its green its y: what lies under the point is what lay there in the still.
        assert patch[0] / 255 == pytest.approx(x, abs=0.025)
        assert patch[1] / 255 == pytest.approx(y, abs=0.03)
    spans = [float(np.ptp(film.frames[frame][176, 4:-4, 0].astype(float))) for frame in (0, 60, 124)]
    assert [span / 255 for span in spans] == pytest.approx([1 / 1.3, 1 / 1.42, 1 / 1.55], abs=0.03)
    moved = [float(np.abs(film.frames[at].astype(float) - film.frames[at + 1]).mean()) for at in (20, 60, 100)]
    assert min(moved) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("prompt", ["light snow falls", "rain"])
async def test_light_weather_costs_little_when_it_is_encoded(prompt: str, tmp_path: Path, ffmpeg: Path) -> None:
    """At most 5 MB for 6 s in a grade that looks like the source."""
    await run_ffmpeg(["-f", "lavfi", "-i", "color=c=0x6080a0:s=1280x720:r=20:d=3", "-preset", "ultrafast", "-f", "mp4",
                      str(tmp_path / "source")], ffmpeg=ffmpeg, timeout=60)
    made = await render(Order(Kind.EDIT, 1280, 720, 20, 3.0, prompt=prompt), tmp_path, ffmpeg=ffmpeg, timeout=60)
    kept = tmp_path / "kept.mp4"
    await run_ffmpeg(["-f", "mp4", "-i", str(made), "-preset", "fast", "-crf", "17", str(kept)], ffmpeg=ffmpeg,
                     timeout=60)
    assert kept.stat().st_size < 2.5e6
