"""ffmpeg-python, kept to what it is for: a graph of streams, written out as ffmpeg's arguments. Only here imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg as ffmpeg_python
from ffmpeg.nodes import FilterNode, InputNode

from reelflow.media import filters
from reelflow.media.opening import FILM_FORMATS, MAX_PIXELS, PICTURE_FORMATS, SOUND_FORMATS, file_url
from reelflow.media.probe import Probe

ffmpeg: Any = ffmpeg_python  # it has no types

# 5.1 moves a broadcast stream to 0 where its start and its offset cancel out and an earlier stream of it isn't used,
# -copyts or not: pictures and sound then part. So they never cancel out quite (seconds).
_BROADCAST = {"mpegts", "mpeg", "ogg"}
_NUDGE = 0.00002

# No titles, places or times of the source, and the same bytes for the same pictures.
BARE: dict[str, Any] = {
    "map_metadata": -1, "map_chapters": -1, "fflags": "+bitexact", "flags:v": "+bitexact",
}


def open_film(source: Probe, *, seek: float = 0.0, copy: int = 0, **more: Any) -> Any:
    """A film as an input, turned upright by ffmpeg; `seek` is seconds from the file's start, before what is needed.

    Inputs that are alike are one, unless they are told apart as a `copy`: where one is needed only when another one has
    ended, the film would be kept in memory until then.

    Turning it ourselves, with `-noautorotate`, leaves the rotation in the output's header on 5.1.
    """
    options: dict[str, Any] = {
        "protocol_whitelist": "file", "format_whitelist": FILM_FORMATS, "max_pixels": MAX_PIXELS, "reinit_filter": 0,
        **more,
    }
    shift = float(options.get("itsoffset", 0))
    if source.format in _BROADCAST and abs(shift + source.file_start) < _NUDGE:
        options["itsoffset"] = filters.number(_NUDGE - source.file_start)
    if seek > 0 and not source.numbered:
        options |= {"ss": filters.number(seek), "accurate_seek": 0}
    return _opened(copy, file_url(source.path), _flags(options))


def open_pictures(source: Probe, *, seek: float = 0.0, copy: int = 0) -> Any:
    """A film's pictures on its own clock; counted where it tells no times. `copy` as with a film."""
    stream = open_film(source, seek=seek, copy=copy)["V:0"]
    if not source.numbered:
        return stream
    rate = source.rate
    counted = f"(N*{rate.denominator}/{rate.numerator}+({filters.number(source.first_time)}))/TB"
    return stream.filter("settb", "AVTB").filter("setpts", counted)


def open_picture(source: Probe) -> Any:
    """A picture as an input, opened as the kind that the probe found."""
    options = {"f": PICTURE_FORMATS[source.format], "protocol_whitelist": "file", "max_pixels": MAX_PIXELS,
               "autorotate": 0}
    return ffmpeg.input(file_url(source.path), **_flags(options))


def open_sound(source: Probe, index: int, *, copy: int = 0) -> Any:
    """A sound track of a film, or of a file that holds only sound; `copy` as with a film."""
    options = {"protocol_whitelist": "file", "format_whitelist": SOUND_FORMATS, "vn": None}
    return _opened(copy, file_url(source.path), options)[f"a:{index}"]


def silence(seconds: str, channels: int) -> Any:
    """A sound track in which nothing is heard."""
    channel = "|".join(["0"] * channels)
    return ffmpeg.input(f"aevalsrc={channel}:s=48000:d={seconds}", f="lavfi")["a:0"]


def open_own_picture(path: Path) -> Any:
    """A PNG of our own as an input; its one picture stands as long as what it is laid over."""
    return ffmpeg.input(file_url(path), f="png_pipe")


def open_text(path: Path, kind: str) -> Any:
    """A text file of our own (subtitles, a list of films) as an input, of a `kind` that is never guessed."""
    return ffmpeg.input(file_url(path), f=kind)


def together(streams: list[Any], name: str, **options: Any) -> Any:
    """Several streams through one filter."""
    return ffmpeg.filter(streams, name, **options)


def split_up(stream: Any, count: int) -> list[Any]:
    """One stream as several: ffmpeg-python doesn't split by itself."""
    many = stream.filter_multi_output("split", count)
    return [many[index] for index in range(count)]


def in_256_colours(stream: Any, *, anew: bool) -> Any:
    """Pictures as GIF holds them, in the colours that suit all of them best, for which all are held in memory; or, with
    `anew`, in those that suit each of them best.
    """
    looked_at, shown = split_up(stream, 2)
    palette = looked_at.filter("palettegen", stats_mode="single" if anew else "diff")
    return together([shown, palette], "paletteuse", dither="sierra2_4a", **({"new": 1} if anew else {}))


@dataclass(frozen=True, slots=True)
class Written:
    """One output of a command: its streams, where it is written, and its options."""

    streams: list[Any]
    destination: Path
    options: dict[str, Any]


def arguments(*outputs: Written) -> list[str]:
    """ffmpeg's arguments for these outputs."""
    streams = _Splits(stream for one in outputs for stream in one.streams)
    made = [
        ffmpeg.output(*map(streams.of, one.streams),
                      "-" if one.destination == Path("-") else file_url(one.destination), **one.options)
        for one in outputs
    ]
    whole = made[0] if len(made) == 1 else ffmpeg.merge_outputs(*made)
    # The last lines of a verbose log count what was decoded, which is how damage is found.
    return ["-loglevel", "level+verbose", "-copyts", "-y", *(str(part) for part in ffmpeg.get_args(whole))]


def _opened(copy: int, url: str, options: dict[str, Any]) -> Any:
    # Its arguments are not written out, and still tell one node from another.
    return InputNode("input", args=[copy], kwargs={"filename": url, **options}).stream()


class _Splits:
    """The same streams, those that go several ways through a `split`: ffmpeg-python leaves that to us.

    Two chains that begin alike are one chain to it, so a track that goes into two outputs is such a stream already.
    """

    def __init__(self, ends: Iterable[Any]) -> None:
        self._ways: Counter[Any] = Counter()
        self._made: dict[Any, Any] = {}
        self._taken: Counter[Any] = Counter()
        seen: set[Any] = set()
        left = list(ends)
        while left:
            stream = left.pop()
            self._ways[stream] += 1
            if stream.node not in seen:
                seen.add(stream.node)
                left += _feeds(stream.node)

    def of(self, stream: Any) -> Any:
        """One way of `stream`."""
        made = self._node(stream.node).stream(stream.label, stream.selector)
        if self._ways[stream] == 1 or isinstance(stream.node, InputNode):
            return made
        name = "asplit" if _is_sound(stream) else "split"
        way = self._taken[stream]
        self._taken[stream] += 1
        return made.filter_multi_output(name, self._ways[stream])[way]

    def _node(self, node: Any) -> Any:
        if node not in self._made:
            fed = {edge: self.of(stream) for edge, stream in zip(node.incoming_edge_map, _feeds(node), strict=True)}
            self._made[node] = node if isinstance(node, InputNode) else FilterNode(
                fed, node.name, max_inputs=None, args=node.args, kwargs=node.kwargs)
        return self._made[node]


def _feeds(node: Any) -> list[Any]:
    return [before.stream(label, selector) for before, label, selector in node.incoming_edge_map.values()]


def _is_sound(stream: Any) -> bool:
    while not isinstance(stream.node, InputNode):
        stream = _feeds(stream.node)[0]
    return str(stream.selector or "").startswith("a")


def _flags(options: dict[str, Any]) -> dict[str, Any]:
    """`{"autorotate": 0}` as ffmpeg writes it, `-noautorotate`."""
    negated = {name for name in ("autorotate", "accurate_seek") if options.get(name) == 0}
    return {name: value for name, value in options.items() if name not in negated} | {
        f"no{name}": None for name in sorted(negated)
    }
