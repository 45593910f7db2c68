"""Weather and light laid over a film: what an edit's prompt asks for when it says rain, snow, fog, sunset or night.

Drawn as looks are (see `looks`): from `[in]` to `[out]`, textures made once and moved along.
"""

from __future__ import annotations

from dataclasses import dataclass

from reelflow.standin.looks import Canvas, Look

_BORDER = 24
_MUCH = ("heavy", "heavily", "pouring", "torrential")


@dataclass(frozen=True, slots=True)
class Effect:
    """What lies over a film as a rule, and how it is drawn where the prompt wants much of it."""

    usual: Look
    heavy: Look | None = None

    def named_in(self, words: set[str]) -> Look | None:
        """The form of it that a prompt's words ask for; None where they don't speak of it."""
        if self.heavy and not words.isdisjoint(self.heavy.words):
            return self.heavy
        if words.isdisjoint(self.usual.words):
            return None
        return self.heavy if self.heavy and not words.isdisjoint(_MUCH) else self.usual


def _specks(canvas: Canvas, cell: int, share: float, spread: str, *, salt: int) -> str:
    """Specks strewn over a held black picture, one pixel of `cell` by `cell` in `share` of all places.

    `spread` blurs them while they are small, over a border that repeats the other side: no seam scrolls by.
    """
    across, down = canvas.width // cell // 2 * 2, canvas.height // cell // 2 * 2
    beyond, below = (round(side * _BORDER / cells) for side, cells in ((canvas.width, across), (canvas.height, down)))
    return canvas.held(
        f"geq=lum='st(0,mod(abs(sin(X*12.9898+Y*78.233+{canvas.grain % 8191 + salt})*43758.5453),1));"
        f"if(lt(ld(0),{share:.5f}),120+135*ld(0)/{share:.5f},0)':cb=128:cr=128,"
        f"pad=iw+{2 * _BORDER}:ih+{2 * _BORDER}:{_BORDER}:{_BORDER},"
        f"fillborders={_BORDER}:{_BORDER}:{_BORDER}:{_BORDER}:wrap,{spread},"
        f"scale={canvas.width + 2 * beyond}:{canvas.height + 2 * below}:flags=bicubic,"
        f"crop={canvas.whole}:{beyond}:{below}",
        size=f"{across}:{down}",
    )


def _falling(canvas: Canvas, film: str, far: str, near: str, *, speeds: tuple[float, float], drift: float) -> str:
    """Two layers that fall over what `film` makes of the picture, by `speeds` in heights a second."""
    slow, fast = (speed / canvas.fps for speed in speeds)
    return (
        f"[in]{film},format=yuv420p[a];"
        f"{far},scroll=v={-slow:.5f}:h={drift * slow:.5f}[r];{near},scroll=v={-fast:.5f}:h={-drift * fast:.5f}[s];"
        "[a][r]blend=c0_mode=screen:c0_opacity=0.6:shortest=1[b];"
        "[b][s]blend=c0_mode=screen:c0_opacity=0.8:shortest=1[out]"
    )


def _rain(canvas: Canvas) -> str:
    return _raining(canvas, "curves=all='0/0 0.5/0.42 1/0.86':b='0/0.04 0.5/0.53 1/1',hue=s=0.62", 0.001)


def _heavy_rain(canvas: Canvas) -> str:
    return _raining(canvas, "curves=all='0/0.03 0.5/0.32 1/0.7':b='0/0.08 0.5/0.4 1/0.8',hue=s=0.4", 0.007)


def _raining(canvas: Canvas, film: str, share: float) -> str:
    thin = max(1, min(canvas.width, canvas.height) // 360)
    streak = "dblur=angle=77:radius={}:planes=1,lutyuv=y='clip(val*9,0,{})'"
    return _falling(
        canvas, film,
        _specks(canvas, thin, share * canvas.strength, streak.format(8, 130), salt=1),
        _specks(canvas, thin * 2, share * canvas.strength, streak.format(9, 150), salt=2),
        speeds=(1.7, 2.6), drift=0.2,
    )


def _snow(canvas: Canvas) -> str:
    return _snowing(canvas, "curves=all='0/0.05 0.5/0.54 1/1':b='0/0.09 0.5/0.57 1/1',hue=s=0.7", 0.008)


def _heavy_snow(canvas: Canvas) -> str:
    return _snowing(canvas, "curves=all='0/0.16 0.5/0.62 1/1':b='0/0.2 0.5/0.65 1/1',hue=s=0.4", 0.04)


def _snowing(canvas: Canvas, film: str, share: float) -> str:
    small = max(1, min(canvas.width, canvas.height) // 160)
    flake = "gblur=sigma={}:planes=1,lutyuv=y='clip(val*{},0,255)'"
    return _falling(
        canvas, film,
        _specks(canvas, small, share * canvas.strength, flake.format(0.6, 2.4), salt=1),
        _specks(canvas, small * 2, share * canvas.strength, flake.format(0.7, 3), salt=2),
        speeds=(0.13, 0.24), drift=0.2,
    )


def _fog(canvas: Canvas) -> str:
    banks = canvas.held(
        f"noise=c0s=100:c0_seed={canvas.grain}:c0f=a,pad=28:20:4:4,fillborders=4:4:4:4:wrap,gblur=sigma=1:planes=1,"
        f"scale={canvas.width * 7 // 5}:{canvas.height * 5 // 3}:flags=bicubic,gblur=sigma=24:sigmaV=14:planes=1,"
        f"crop={canvas.whole},lutyuv=y='clip(150+(val-128)*6,70,232)'",
        size="20:12",
    )
    return (
        "[in]hue=s=0.5,eq=contrast=0.8:brightness=0.05[a];"
        f"{banks},scroll=h=0.0022[f];[a][f]blend=c0_mode=screen:c0_opacity={0.72 * canvas.strength:.3f}:shortest=1[out]"
    )


def _sunset(canvas: Canvas) -> str:
    glow = canvas.held(
        "geq=lum='16+170*exp(-pow((Y/H-0.42)/0.34,2))*(0.55+0.45*exp(-pow((X/W-0.62)/0.3,2)))':cb=86:cr=170"
    )
    return (
        "[in]curves=r='0/0.06 0.5/0.60 1/1':g='0/0.02 0.5/0.44 1/0.88':b='0/0.12 0.5/0.36 1/0.62',"
        f"hue=s={1.25 * canvas.strength:.3f},format=yuv420p[a];"
        f"{glow}[g];"
        "[a][g]blend=c0_mode=screen:c0_opacity=0.42:c1_opacity=0.8:c2_opacity=0.8:shortest=1,vignette=angle=0.4[out]"
    )


def _night(canvas: Canvas) -> str:
    return (
        "[in]hue=s=0.45,curves=r='0/0 0.5/0.16 1/0.62':g='0/0 0.5/0.21 1/0.70':b='0/0.06 0.5/0.36 1/0.86',"
        f"format=yuv420p,vignette=angle={0.55 * canvas.strength:.3f}[out]"
    )


EFFECTS = (
    Effect(Look("night", ("night", "midnight", "moonlight", "nighttime", "moonlit"), _night)),
    Effect(Look("sunset", ("sunset", "sunrise", "dusk", "dawn", "golden"), _sunset)),
    Effect(Look("fog", ("fog", "foggy", "mist", "misty", "haze", "hazy", "smoke", "smoky"), _fog)),
    Effect(
        Look("rain", ("rain", "rains", "rainy", "raining", "rainfall", "raindrops", "drizzle"), _rain),
        Look("heavy rain", ("downpour", "storm", "stormy", "rainstorm", "thunderstorm"), _heavy_rain),
    ),
    Effect(
        Look("snow", ("snow", "snows", "snowy", "snowing", "snowfall", "snowflakes", "winter"), _snow),
        Look("heavy snow", ("blizzard", "snowstorm"), _heavy_snow),
    ),
)
