"""Renders a job with ffmpeg: the film in the model's frame and rate, drawn over as the prompt asks, without sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from reelflow.media.geometry import Box, Size
from reelflow.media.run import run_ffmpeg
from reelflow.models import Kind, Point
from reelflow.standin.bars import inside_bars
from reelflow.standin.camera import camera_graph
from reelflow.standin.faults import Fault
from reelflow.standin.opened import film_input, picture_input
from reelflow.standin.palette import Palette, read_palette
from reelflow.standin.prompt import Reading, canvas_for, cloth_colour, read_prompt
from reelflow.whole import written_whole

COMMENT = "Made by the stand-in queue of reelflow with ffmpeg, not by a model of Decart's"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made: frame in pixels, `seconds` of film (0 for a picture) at `fps`, and what the form asked."""

    kind: Kind
    width: int
    height: int
    fps: int
    seconds: float
    prompt: str = ""
    seed: int = 0
    has_reference: bool = False
    trajectory: tuple[Point, ...] | None = None

    @property
    def reading(self) -> Reading:
        """What the prompt is taken to mean."""
        always = self.kind in (Kind.EDIT, Kind.CLIP, Kind.IMAGE, Kind.RESTYLE)
        # A look that keeps colours visible, where there is only a picture to say what is wanted.
        alone = always and self.has_reference and not self.prompt.strip()
        return read_prompt("painting" if alone else self.prompt, self.seed, always=always)

    @property
    def told(self) -> str:
        """In words, for the log."""
        return f"{self.kind.value} ({self.reading.told}), {self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the result is made to be: as ordered, unless a fault makes it crooked."""

    frames: int
    fps: int
    label: int
    stretch: Fraction = Fraction(1)
    size: str | None = None
    sound: bool = False


def _shape(order: Order, crooked: Fault | None) -> _Shape:
    other = 24 if order.fps != 24 else 30
    frames = max(1, round(order.seconds * order.fps))
    few = max(1, round(frames * 0.03))
    shapes = {
        Fault.FRAME_MORE: _Shape(frames + 1, order.fps, order.fps),
        Fault.FRAME_LESS: _Shape(max(1, frames - 1), order.fps, order.fps),
        Fault.OTHER_RATE: _Shape(max(1, round(order.seconds * other)), other, other),
        Fault.WRONG_LABEL: _Shape(frames, order.fps, other),
        Fault.FAR_LABEL: _Shape(frames, order.fps, 3 * order.fps),
        Fault.LONGER: _Shape(frames + few, order.fps, order.fps, Fraction(frames + few, frames)),
        Fault.SHORTER: _Shape(max(1, frames - few), order.fps, order.fps, Fraction(max(1, frames - few), frames)),
        Fault.ODD_SIZE: _Shape(
            frames, order.fps, order.fps, size=f"{order.width * 9 // 20 * 2 + 2}:{order.height * 19 // 40 * 2}"
        ),
        Fault.WITH_SOUND: _Shape(frames, order.fps, order.fps, sound=True),
    }
    return shapes.get(crooked, _Shape(frames, order.fps, order.fps)) if crooked else _Shape(
        frames, order.fps, order.fps
    )


def film_arguments(
    order: Order, folder: Path, destination: Path, *, palette: Palette | None, picture: Box | None,
    crooked: Fault | None,
) -> list[str]:
    """The ffmpeg arguments that make the film of `order` from `folder`'s `source` (and `reference`).

    `palette` is the reference picture's, `picture` the part of the frame that is drawn over (None for all of it).
    """
    shape = _shape(order, crooked)
    inputs, chains = _inputs(order, folder), []
    if order.kind is Kind.MOTION:
        assert order.trajectory is not None
        chains.append(
            f"[0:v:0]{_cover(order.width * 3 // 4 * 2, order.height * 3 // 4 * 2)},trim=end_frame=1,"
            f"loop={shape.frames}:1,setpts=N/{shape.fps}/TB,fps={shape.fps},trim=end_frame={shape.frames},"
            f"{camera_graph(order.trajectory, shape.frames, order.width * 3 // 4 * 2, order.height * 3 // 4 * 2)},"
            f"scale={order.width}:{order.height}:flags=bicubic[film]"
        )
    else:
        chains.append(
            f"[0:v:0]setpts=(PTS-STARTPTS)*{shape.stretch.numerator}/{shape.stretch.denominator},"
            f"fps={shape.fps}:start_time=0,{_cover(order.width, order.height)},"
            f"tpad=stop=-1:stop_mode=clone,trim=end_frame={shape.frames}[film]"
        )
    chains.append(_drawn(order, palette, picture, fps=shape.fps))
    size = f"scale={shape.size}:flags=bicubic," if shape.size else ""
    chains.append(
        f"[drawn]{size}format=yuv420p,setsar=1,settb=1/{shape.label},setpts=N,"
        "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv[result]"
    )
    sound = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={shape.frames / shape.label:.6f}"]
    sounds = inputs.count("-i")
    return [
        "-y", *inputs, *(sound if shape.sound else []), "-filter_complex", ";".join(chains), "-map", "[result]",
        *(["-map", f"{sounds}:a", "-c:a", "aac"] if shape.sound else ["-an"]),
        # Not -r: the graph takes a frame to last 1/fps, so of a label far off it gives the first one thrice.
        "-fps_mode", "passthrough", "-enc_time_base", f"1:{shape.label}", "-bsf:v", "setts=pts=PTS:dts=DTS:duration=1",
        "-frames:v", str(shape.frames), "-c:v", "libx264", "-preset", "superfast", "-crf", "19",
        "-map_metadata", "-1", "-metadata", f"comment={COMMENT}", "-movflags", "+faststart", "-f", "mp4",
        f"file:{destination}",
    ]


def picture_arguments(
    order: Order, folder: Path, destination: Path, *, palette: Palette | None, picture: Box | None
) -> list[str]:
    """The ffmpeg arguments that make the picture of `order`, as a PNG; parameters as for `film_arguments`."""
    chains = [f"[0:v:0]{_cover(order.width, order.height)},trim=end_frame=1,fps={order.fps}[film]",
              _drawn(order, palette, picture, fps=order.fps),
              "[drawn]scale=in_color_matrix=bt709:in_range=tv,format=rgb24[result]"]
    return ["-y", *_inputs(order, folder), "-filter_complex", ";".join(chains), "-map", "[result]", "-frames:v", "1",
            "-c:v", "png", "-f", "image2", "-update", "1", f"file:{destination}"]


def _source(order: Order, folder: Path) -> list[str]:
    source = folder / "source"
    return picture_input(source) if order.kind.source == "picture" else film_input(source)


def _inputs(order: Order, folder: Path) -> list[str]:
    first = _source(order, folder)
    if order.kind is Kind.TRYON and order.has_reference:
        return [*first, *picture_input(folder / "reference")]
    return first


def _cover(width: int, height: int) -> str:
    """The picture in a frame that it covers, in the colours that the graphs work in."""
    return (
        f"scale={width}:{height}:force_original_aspect_ratio=increase:force_divisible_by=2:flags=bicubic:"
        f"out_color_matrix=bt709:out_range=tv,crop={width}:{height},setsar=1,format=yuv420p"
    )


def _drawn(order: Order, palette: Palette | None, picture: Box | None, *, fps: int) -> str:
    """The graph from `[film]` to `[drawn]`: look and effects, then the reference picture's part."""
    if picture is None:
        drawn = order.reading.graph(canvas_for(order.seed, order.width, order.height, fps), "film", "look")
    else:
        # A look's lines, blurs and reliefs would else show where the picture meets its bars.
        inner = order.reading.graph(canvas_for(order.seed, picture.width, picture.height, fps), "picture", "over")
        drawn = (
            f"[film]split[bars][whole];[whole]crop={picture.width}:{picture.height}:{picture.x}:{picture.y}[picture];"
            f"{inner};[bars][over]overlay=x={picture.x}:y={picture.y}:format=yuv420,format=yuv420p[look]"
        )
    if order.kind is Kind.TRYON and (order.has_reference or not order.reading.keeps):
        return f"{drawn};{_worn(order, palette, fps=fps)}"
    if palette is not None:
        return f"{drawn};{palette.graph('look', 'drawn', weight=0.55)}"
    return f"{drawn};[look]null[drawn]"


def _worn(order: Order, palette: Palette | None, *, fps: int) -> str:
    """The garment laid over the lower middle, its edges soft; without a picture, a cloth in the prompt's colour."""
    across, down = (0.62, 0.46) if order.height > order.width else (0.40, 0.56)
    width, height = round(order.width * across / 2) * 2, round(order.height * down / 2) * 2
    fade = "clip(min(min(X,W-1-X)/(W*0.10),min(Y,H-1-Y)/(H*0.10)),0,1)"
    if palette is not None:
        key = "*clip((max(max(abs(r(X,Y)-r(1,1)),abs(g(X,Y)-g(1,1))),abs(b(X,Y)-b(1,1)))-14)/26,0,1)"
        cloth = (
            f"[1:v:0]scale={width}:{height}:force_original_aspect_ratio=decrease:flags=bicubic,format=rgba,"
            f"trim=end_frame=1,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':"
            f"a='0.94*alpha(X,Y)*{fade}{key if palette.backdrop else ''}'"
        )
    else:
        colour = cloth_colour(order.prompt, order.seed)
        cloth = (
            f"color=c=0x{colour:06x}:s={width}x{height}:r={fps},format=rgba,trim=end_frame=1,"
            "geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='225*clip(6-6*hypot((X-W/2)/(W/2),(Y-H/2)/(H/2)),0,1)'"
        )
    return (
        f"{cloth},loop=-1:1,setpts=N/{fps}/TB[cloth];"
        f"[look][cloth]overlay=x=(W-w)/2:y=H*0.70-h/2:shortest=1:format=yuv420,format=yuv420p[drawn]"
    )


async def render(
    order: Order, folder: Path, *, ffmpeg: Path, timeout: float, crooked: Fault | None = None
) -> Path:
    """Make what is ordered from `folder`'s `source` (and `reference`), as `result` beside them.

    Raises MediaFailed or MediaTimeout.
    """
    palette = picture = None
    if order.has_reference:
        palette = await read_palette(folder / "reference", ffmpeg=ffmpeg, timeout=timeout)
    if order.reading.draws and order.kind is not Kind.MOTION:
        picture = await inside_bars(
            _source(order, folder), _cover(order.width, order.height), Size(order.width, order.height), order.seconds,
            beside=folder / "source", ffmpeg=ffmpeg, timeout=timeout,
        )
    destination = folder / "result"
    with written_whole(destination) as part:
        arguments = (
            picture_arguments(order, folder, part, palette=palette, picture=picture) if order.kind.result == "picture"
            else film_arguments(order, folder, part, palette=palette, picture=picture, crooked=crooked)
        )
        await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=timeout)
    return destination
