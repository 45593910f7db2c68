"""What a film or a picture is, found out once, in a child process with limits (see `examine`)."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from reelflow.errors import BadInput, BadMedia, MediaFailed, MediaTimeout
from reelflow.media.forked import begin_early, run_forked
from reelflow.media.geometry import Size
from reelflow.media.limits import Limits

# Decoding a frame of the largest size that is let in takes well under 1 GiB; address space is counted more widely.
_LIMITS = Limits(cpu_seconds=300, memory_bytes=8 * 2**30, file_bytes=0)
_EXAMINE = "reelflow.media.examine"
_SLOWEST_DISK = 20e6  # bytes per second
# A larger film of our own would keep others waiting, and to it a fork is nothing.
_SOON_READ = 32 * 2**20
_MOST_KNOWN = 1024
# What was found out in this process, by the file and its state: whatever was checked when it came or when it was made
# is asked for again a moment later under the name that it has then, and a child process takes a tenth of a second.
_known: dict[tuple[int | str, ...], Probe] = {}


@dataclass(frozen=True, slots=True)
class Colour:
    """How a film's numbers stand for colours, in ffmpeg's words; None where the file doesn't say."""

    matrix: str | None = None
    range: str | None = None
    transfer: str | None = None
    primaries: str | None = None

    @property
    def hdr(self) -> str | None:
        """The kind of HDR, `pq` or `hlg`; None for a film of ordinary contrast."""
        return {"smpte2084": "pq", "arib-std-b67": "hlg"}.get(self.transfer or "")


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound track: `index` counts the sound tracks, `start` and `end` are seconds on the file's own clock."""

    index: int
    codec: str
    sample_rate: int
    channels: int
    layout: str
    start: float
    end: float
    language: str | None = None
    title: str | None = None
    default: bool = False


@dataclass(frozen=True, slots=True)
class Subtitle:
    """One subtitle track: `index` counts the subtitle tracks, `text` is False for tracks of pictures."""

    index: int
    codec: str
    text: bool
    language: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter, in seconds on the file's own clock."""

    start: float
    end: float
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """Facts of one file. Times are seconds; `first_time` is on the file's own clock, where ffmpeg's `-copyts` sees it.

    `width` and `height` are as stored, `shown` is what a person sees: upright, in square pixels. `turn` is how many
    degrees clockwise the stored picture is turned to be upright, after a flip from left to right if `mirrored`.
    `unevenness` is how far a frame lies from an even clock of `rate` at most; a film that `varies` has no such clock.
    One that is `numbered` tells no times (a bare stream, H.264 in AVI): its frames are counted at `rate`.
    `hidden` frames are in the file and not in the film: an edit list leaves them out. `tags` are what the container
    says of the film, as names and values; `timecode` is the first frame's.
    """

    path: Path
    size_bytes: int
    format: str
    is_picture: bool
    codec: str
    pixels: str
    bits: int
    width: int
    height: int
    sample_aspect: Fraction
    turn: int
    mirrored: bool
    colour: Colour
    interlaced: bool = False
    profile: str | None = None
    rate: Fraction = Fraction(0)
    varies: bool = False
    numbered: bool = False
    unevenness: float = 0.0
    frames: int = 0
    hidden: int = 0
    seconds: float = 0.0
    first_time: float = 0.0
    file_start: float = 0.0
    sounds: tuple[Sound, ...] = ()
    subtitles: tuple[Subtitle, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    timecode: str | None = None
    other_streams: int = 0
    damage: tuple[str, ...] = ()

    @property
    def upright(self) -> Size:
        """The stored size after turning."""
        size = Size(self.width, self.height)
        return size.turned if self.turn in (90, 270) else size

    @property
    def shown(self) -> Size:
        """The size that a person sees: turned upright, with square pixels."""
        wide = round(self.width * self.sample_aspect)
        size = Size(max(1, wide), self.height)
        return size.turned if self.turn in (90, 270) else size

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values; rates and ratios as `30000/1001`."""
        def plain(value: Any) -> Any:
            if isinstance(value, Fraction):
                return f"{value.numerator}/{value.denominator}"
            if isinstance(value, Path):
                return str(value)
            if isinstance(value, dict):
                return {name: plain(item) for name, item in value.items()}
            return [plain(item) for item in value] if isinstance(value, list | tuple) else value

        made: dict[str, Any] = plain(asdict(self))
        return made | {"shown": [self.shown.width, self.shown.height], "hdr": self.colour.hdr}

    @classmethod
    def from_json(cls, made: dict[str, Any]) -> Self:
        """The facts from what `to_json` made."""
        values = {field.name: made[field.name] for field in fields(cls) if field.name in made}
        values["path"] = Path(made["path"])
        for name in ("sample_aspect", "rate"):
            if name in values:
                values[name] = Fraction(made[name])
        values["colour"] = Colour(**made.get("colour", {}))
        for name, kind in (("sounds", Sound), ("subtitles", Subtitle), ("chapters", Chapter)):
            values[name] = tuple(kind(**row) for row in made.get(name, ()))
        values["tags"] = tuple((name, value) for name, value in made.get("tags", ()))
        values["damage"] = tuple(made.get("damage", ()))
        return cls(**values)


def expect_files() -> None:
    """Have the child that looks at files start now, so that the first file need not wait for it."""
    begin_early(_EXAMINE)


async def probe(path: Path, *, timeout: float = 20.0) -> Probe:
    """Find out what `path` is, within `timeout` seconds and one more for each 20 MB, since all of it is read.

    A file is read once, for as long as its size and its time stay the same.

    Raises:
        BadInput: there is no such file, or it isn't a regular one.
        BadMedia: it isn't a film or a picture that can be used; says why.
    """
    return await _examined(path, [], "a video or a picture", timeout)


async def probe_encoded(path: Path, *, timeout: float = 20.0) -> Probe:
    """Find out what a film is that we encoded ourselves, progressive and by an even clock: at less cost than `probe`.

    Raises what `probe` raises.
    """
    return await _examined(path, [], "a video or a picture", timeout, encoded=True)


async def probe_sound(path: Path, *, timeout: float = 20.0) -> Probe:
    """Find out what `path` is, as `probe` does; a file that holds only sound is taken too, and then has no frames.

    Raises what `probe` raises.
    """
    return await _examined(path, ["sound"], "sound or a video", timeout)


async def _examined(
    path: Path, options: list[str], called: str, timeout: float, *, encoded: bool = False
) -> Probe:
    check_file(path)
    state = _state_of(path, options)
    if (known := _known.get(state)) is not None:
        return replace(known, path=path.absolute())
    size = path.stat().st_size
    allowed = timeout + size / _SLOWEST_DISK
    try:
        ended = await run_forked(
            _EXAMINE, [str(path.absolute()), *options, *(["encoded"] if encoded else [])], timeout=allowed,
            limits=_LIMITS, harmless=encoded and size <= _SOON_READ)
    except MediaTimeout:
        raise BadMedia(
            f"{path} could not be read within {allowed:.3g} s: it is damaged, or far too long for a clip."
        ) from None
    except MediaFailed:
        raise BadMedia(f"{path} can't be read as {called}: it is damaged or made to do harm.") from None
    found: dict[str, Any] = json.loads(ended.stdout)
    if "refused" in found:
        raise BadMedia(f"{path} {found['refused']}")
    made = Probe.from_json({"path": str(path.absolute()), **found})
    # One that was still being written is another file now.
    if _state_of(path, options) == state:
        _known[state] = made
        while len(_known) > _MOST_KNOWN:
            del _known[next(iter(_known))]
    return made


def _state_of(path: Path, options: list[str]) -> tuple[int | str, ...]:
    """What tells a file from others, and from itself after a change; renaming it leaves it the same."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, *options


def check_file(path: Path) -> None:
    """Check that `path` is a regular file with something in it, before anything opens it (a FIFO would hang).

    Raises:
        BadInput: no such file, a folder, a device.
        BadMedia: it is empty.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise BadInput(f"There is no file {path}: check its name.", field="source") from None
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "the name can't be used"
        raise BadInput(f"{path} can't be opened: {why}.", field="source") from None
    if stat.S_ISDIR(status.st_mode):
        raise BadInput(f"{path} is a folder: name the video in it.", field="source")
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"{path} is not a regular file: give a video file.", field="source")
    if status.st_size == 0:
        raise BadMedia(f"{path} is empty (0 bytes): it was not copied or downloaded whole.")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise BadInput(f"{path} can't be opened: {error.strerror}.", field="source") from None
