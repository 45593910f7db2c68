"""What goes along beside picture and sound: the span's subtitles and chapters, moved to the finished film's clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow.media.outputs import Container
from reelflow.media.probe import Chapter, Subtitle

_TIMES = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{3})\s*-->\s*(\d+):(\d\d):(\d\d)[,.](\d{3})")
_SUBTITLE_CODECS = {"mp4": "mov_text", "mov": "mov_text", "matroska": "srt", "webm": "webvtt"}


@dataclass(frozen=True, slots=True)
class SubtitleOut:
    """One subtitle track of the finished film: the SubRip file that it comes from, and its codec in the container."""

    track: Subtitle
    path: Path
    codec: str

    def options(self, position: int) -> dict[str, Any]:
        """Output options for this track as the film's `position`-th."""
        made: dict[str, Any] = {f"c:s:{position}": self.codec}
        if self.track.language:
            made[f"metadata:s:s:{position}"] = f"language={self.track.language}"
        return made


def subtitle_codec(container: Container) -> str:
    """What text subtitles are in this container."""
    return _SUBTITLE_CODECS[container.muxer]


def cut_subtitles(text: str, *, begin: float, seconds: float, speed: float = 1.0) -> str:
    """SubRip text with what is shown in a film of so many `seconds`, whose time runs from `begin` on at `speed`."""
    kept: list[str] = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip()):
        match = _TIMES.search(block)
        if match is None:
            continue
        start = max(0.0, (_seconds(match.groups()[:4]) - begin) / speed)
        end = min(seconds, (_seconds(match.groups()[4:]) - begin) / speed)
        if end - start >= 0.001:
            said = block[match.end():].lstrip("\n")
            kept.append(f"{len(kept) + 1}\n{_clock(start)} --> {_clock(end)}\n{said}\n")
    return "\n".join(kept)


def chapter_file(chapters: tuple[Chapter, ...], *, begin: float, seconds: float, speed: float = 1.0) -> str:
    """ffmpeg's metadata file with the chapters of a film of so many `seconds`, whose time runs from `begin` on at
    `speed`; empty where there are none.
    """
    rows = []
    for chapter in chapters:
        start, end = max(0.0, (chapter.start - begin) / speed), min(seconds, (chapter.end - begin) / speed)
        if end - start < 0.001:
            continue
        title = re.sub(r"([=;#\\\n])", r"\\\1", chapter.title or "")
        times = f"START={round(start * 1000)}\nEND={round(end * 1000)}"
        rows.append(f"[CHAPTER]\nTIMEBASE=1/1000\n{times}\ntitle={title}\n")
    return ";FFMETADATA1\n" + "".join(rows) if rows else ""


def _seconds(groups: tuple[str, ...]) -> float:
    hours, minutes, seconds, thousandths = map(int, groups)
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _clock(seconds: float) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02},{whole % 1000:03}"
