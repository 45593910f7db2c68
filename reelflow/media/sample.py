"""The sample clip: a balloon over hills at dusk, drawn and played by ffmpeg alone. A first run needs no film."""

from __future__ import annotations

from pathlib import Path

from reelflow.media.run import run_ffmpeg
from reelflow.whole import written_whole

SECONDS = 6
WIDTH, HEIGHT, RATE = 1280, 720, 30

# One row per range of hills, far to near: colour, height of the ridge line in pixels over x, scroll in pixels a second.
_HILLS = (
    ("0x7a5a8c", "430+46*sin(X/170)+22*sin(X/61+1)+9*sin(X/23)", 14),
    ("0x4d3f74", "505+52*sin(X/130+2)+20*sin(X/47)+7*sin(X/15+1)", 38),
    ("0x2c2950", "590+40*sin(X/150+4)+16*sin(X/57+2)", 80),
    ("0x151632", "640+24*sin(X/200+1)-34*pow(1-abs(mod(X,46)-23)/23,2)-22*pow(1-abs(mod(X+17,74)-37)/37,3)", 170),
)
_BALLOON = (
    # Envelope, basket and the ropes between them, in a 220 x 320 picture; the stripes follow the envelope's bulge.
    "r='if(lt(Y,240),228+14*mod(floor(3+(X-110)/(14+0.26*sqrt(max(1,11000-pow(Y-108,2))))),2)-0.25*X,96)':"
    "g='if(lt(Y,240),92+138*mod(floor(3+(X-110)/(14+0.26*sqrt(max(1,11000-pow(Y-108,2))))),2)-0.25*X,60)':"
    "b='if(lt(Y,240),64+136*mod(floor(3+(X-110)/(14+0.26*sqrt(max(1,11000-pow(Y-108,2))))),2)-0.15*X,42)':"
    "a='255*max(max(clip(104-hypot(X-110,Y-108),0,1),between(Y,150,238)*clip(92-(Y-150)*0.72-abs(X-110),0,1)),"
    "max(between(Y,268,300)*lt(abs(X-110),20),between(Y,236,270)*lt(abs(abs(X-110)-(28-(Y-236)*0.26)),1.2)))'"
)


def sample_arguments(destination: Path) -> list[str]:
    """The ffmpeg arguments that make the sample clip: 6 s of 1280x720 at 30 frames per second, with stereo sound."""
    scroll = max(speed for *_, speed in _HILLS) * SECONDS
    chains = [
        f"gradients=s={WIDTH}x{HEIGHT}:r={RATE}:d={SECONDS}:x0=0:y0=0:x1=0:y1=560:nb_colors=4:speed=0.00001:"
        "c0=0x23305e:c1=0x8a4f86:c2=0xe8745a:c3=0xf7c978,format=gbrp[sky]",
        "color=s=520x520,format=rgba,geq=r=255:g='236-hypot(X-260,Y-260)*0.25':b='178-hypot(X-260,Y-260)*0.3':"
        "a='max(255*clip(66-hypot(X-260,Y-260),0,1),150*exp(-hypot(X-260,Y-260)/72)*lt(hypot(X-260,Y-260),258))'"
        f",{_held()}[sun]",
        f"color=s=220x320,format=rgba,geq={_BALLOON},{_held()}[balloon]",
    ]
    for number, (colour, ridge, speed) in enumerate(_HILLS):
        chains.append(
            f"color=c={colour}:s={WIDTH + scroll}x{HEIGHT},format=rgba,"
            f"geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='255*clip(Y-({ridge}),0,1)',{_held()},"
            f"crop={WIDTH}:{HEIGHT}:x='{speed}*t':y=0[hill{number}]"
        )
    chains += [
        "[sky][sun]overlay=x='730-4*t':y='96+7*t'[a]",
        "[a][hill0]overlay[b]", "[b][hill1]overlay[c]",
        "[c][balloon]overlay=x='240+62*t':y='150+22*sin(t*1.3)-6*t'[d]",
        "[d][hill2]overlay[e]", "[e][hill3]overlay,format=yuv420p,setsar=1,"
        "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv[film]",
    ]
    notes = "+".join(f"sin({frequency}*2*PI*t)*{level}" for frequency, level in
                     ((146.83, 0.11), (220.0, 0.09), (293.66, 0.07), (369.99, 0.05)))
    bell = "0.16*sin(587.33*2*PI*t)*exp(-3*mod(t,1.5))+0.1*sin(880*2*PI*t)*exp(-5*mod(t+0.75,1.5))"
    return [
        "-y", "-filter_complex", ";".join(chains),
        "-f", "lavfi", "-i", f"aevalsrc='({notes})*(0.8+0.2*sin(t))+{bell}|({notes})*(0.8+0.2*cos(t))+{bell}':"
        f"s=48000:d={SECONDS}",
        "-map", "[film]", "-map", "0:a", "-af", f"afade=in:d=0.3,afade=out:st={SECONDS - 0.6}:d=0.6",
        "-frames:v", str(SECONDS * RATE), "-c:v", "libx264", "-preset", "fast", "-crf", "17", "-c:a", "aac", "-b:a",
        "160k", "-movflags", "+faststart", "-f", "mp4", f"file:{destination}",
    ]


def _held() -> str:
    """One drawn frame held for the whole clip: drawing is slow, holding is free."""
    return f"trim=end_frame=1,loop=-1:1,setpts=N/{RATE}/TB,fps={RATE}"


async def sample_film(work_dir: Path, *, ffmpeg: Path) -> Path:
    """The sample clip, made once and kept in the work folder."""
    target = work_dir / "samples" / "sample.mp4"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(target) as part:
            await run_ffmpeg(sample_arguments(part), ffmpeg=ffmpeg, timeout=120)
    return target


async def sample_picture(work_dir: Path, *, ffmpeg: Path) -> Path:
    """A still of the sample clip (PNG), made once and kept in the work folder."""
    target = work_dir / "samples" / "sample.png"
    if not target.exists():
        film = await sample_film(work_dir, ffmpeg=ffmpeg)
        with written_whole(target) as part:
            await run_ffmpeg(
                ["-y", "-ss", "2", "-i", f"file:{film}", "-frames:v", "1", "-c:v", "png", "-f", "image2", "-update",
                 "1", f"file:{part}"], ffmpeg=ffmpeg, timeout=60,
            )
    return target
