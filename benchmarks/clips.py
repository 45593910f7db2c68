"""The clips of the benchmarks, drawn by ffmpeg: a camera that moves over a finely drawn picture, with grain.

Each second begins with a white square of two frames, and with a tone of a tenth of a second, by which picture and
sound can be held against each other.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from reelflow.whole import written_whole

FLASH_FRAMES = 2
FLASH_SHARE = 8  # the square's side is this part of the picture's height


def camera_clip(kept: Path, ffmpeg: Path, *, width: int, height: int, rate: int, seconds: float) -> Path:
    """A clip with sound, drawn once and kept."""
    target = kept / f"camera-{width}x{height}-{rate}-{seconds:g}s.mp4"
    if target.exists():
        return target
    side = height // FLASH_SHARE
    spare_x, spare_y = width // 4, height // 4
    picture = ",".join((
        f"mandelbrot=s={width + 2 * spare_x}x{height + 2 * spare_y}:r={rate}:start_scale=0.02:end_scale=0.01",
        f"trim=end_frame=1,loop=-1:1,setpts=N/{rate}/TB,fps={rate}",
        f"crop={width}:{height}:x='{spare_x}*(1+0.98*sin(t*0.5))':y='{spare_y}*(1+0.98*sin(t*0.37))'",
        "noise=alls=5:allf=t:all_seed=7",
        f"drawbox=w={side}:h={side}:color=white:t=fill:enable='lt(mod(n,{rate}),{FLASH_FRAMES})'",
        "format=yuv420p,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv",
    ))
    with written_whole(target) as part:
        subprocess.run([
            ffmpeg, "-y", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i",
            f"aevalsrc='0.4*sin(880*2*PI*t)*lt(mod(t,1),0.1)':s=48000:d={seconds}", "-frames:v",
            str(round(seconds * rate)), "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-c:a", "aac", "-b:a",
            "160k", "-movflags", "+faststart", "-f", "mp4", part,
        ], check=True)
    return target
