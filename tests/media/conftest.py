"""Both builds of ffmpeg, and what stands for the model: an ordinary encode of what was sent."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from reelflow.media.run import find_ffmpeg, run_ffmpeg
from reelflow.model_row import parse_row
from reelflow.models import Model

DEBIAN = Path("/usr/bin/ffmpeg")


def found(name: str) -> Path:
    if name == "bundled":
        return find_ffmpeg("bundled")
    if not DEBIAN.exists():
        pytest.skip("Debian's ffmpeg is not installed")
    return DEBIAN


@pytest.fixture(params=["bundled", "debian"])
def build(request: pytest.FixtureRequest) -> Path:
    """Each of the two builds that the rules hold on: the static one, and Debian's 5.1."""
    return found(request.param)


@pytest.fixture(params=["bundled", pytest.param("debian", marks=pytest.mark.slow)])
def either(request: pytest.FixtureRequest) -> Path:
    """The static build; in `make test-all` also Debian's."""
    return found(request.param)


@pytest.fixture(scope="session")
def small_model() -> Model:
    """A model with a small frame, so that many films can be made: 256x144 at 20 frames a second."""
    return parse_row("small", {"kind": "edit", "width": 256, "height": 144, "fps": 20, "usd": "0.04"})


Render = Callable[..., Awaitable[Path]]


@pytest.fixture
def render(ffmpeg: Path, tmp_path: Path) -> Render:
    """Make what a model would return: the film that was sent, through `filters`, encoded anew."""
    async def run(sent: Path, filters: str = "null", *options: str, sound: bool = False) -> Path:
        made = tmp_path / "generated.mp4"
        beside = ["-f", "lavfi", "-i", "sine=f=200"] if sound else []
        await run_ffmpeg(
            ["-y", "-i", str(sent), *beside, "-vf", filters, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12",
             *(["-c:a", "aac", "-shortest"] if sound else []), *options, str(made)],
            ffmpeg=ffmpeg, timeout=60,
        )
        return made
    return run


@pytest.fixture
def measured(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say a figure on the terminal, whether the test passes or not."""
    def say(figure: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n    {figure} ")
    return say
