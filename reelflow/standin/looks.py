"""The looks: filter graphs that turn a picture into something else, each fast enough to keep up with a film.

A look is drawn on a Canvas: it takes the film at `[in]`, leaves it at `[out]`, both yuv420p in limited range at the
canvas's size, and names its other pads with letters of its own. Only numbers go into a graph, never a user's text.
Smoothing is done on a picture of half the size, where it costs a quarter; textures are drawn once and held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a look is drawn on: frame in pixels, rate, and what the seed varies (`hue` in degrees, `strength` ~ 1)."""

    width: int
    height: int
    fps: int
    hue: float = 0.0
    strength: float = 1.0
    grain: int = 1

    @property
    def half(self) -> str:
        """Half the frame, as a scale filter takes it."""
        return f"{self.width // 4 * 2}:{self.height // 4 * 2}"

    @property
    def whole(self) -> str:
        """The frame, as a scale filter takes it."""
        return f"{self.width}:{self.height}"

    def held(self, drawing: str, *, size: str | None = None, shade: int = 128) -> str:
        """A texture: `drawing` done once to a plain picture, and held for as long as the film lasts."""
        return (
            f"color=c=0x{shade:02x}{shade:02x}{shade:02x}:s={(size or self.whole).replace(':', 'x')}:r={self.fps},"
            f"format=yuv420p,trim=end_frame=1,{drawing},loop=-1:1,setpts=N/{self.fps}/TB"
        )


@dataclass(frozen=True, slots=True)
class Look:
    """A look: its name, the words in a prompt that mean it, and how it is drawn."""

    name: str
    words: tuple[str, ...]
    draw: Callable[[Canvas], str]


_MULTIPLY = "blend=c0_mode=multiply:shortest=1"
_EMBOSS = "convolution=0m='-2 -1 0 -1 1 1 0 1 2'"
_RELIEF = "convolution=0m='-2 -2 -1 0 0 -2 -1 -1 0 0 -1 -1 0 1 1 0 0 1 1 2 0 0 1 2 2'"


def _steps(levels: int, hardness: float) -> str:
    """Luma in `levels` flat steps, mixed with what it was by `hardness` 0..1."""
    flat = f"16+219*round((val-16)/219*{levels})/{levels}"
    return f"y='clip({hardness:.3f}*({flat})+{1 - hardness:.3f}*val,16,235)'"


def _ink(canvas: Canvas, threshold: float, weight: float, *, soften: float = 0.9) -> str:
    """Dark lines on white, where the picture has edges."""
    reach = weight * canvas.strength
    return (
        f"gblur=sigma={soften}:planes=1,sobel=planes=1:scale=1,"
        f"lutyuv=y='clip(255-{reach:.3f}*max(val-{threshold},0),0,255)'"
    )


def _plain(canvas: Canvas) -> str:
    return "[in]null[out]"


def _anime(canvas: Canvas) -> str:
    return (
        "[in]split[a][b];"
        f"[a]scale={canvas.half}:flags=area,median=radius=2:radiusV=2,lutyuv={_steps(7, 0.62)},"
        "eq=contrast=1.06:brightness=0.03,"
        f"hue=h={canvas.hue:.2f}:s={1.5 * canvas.strength:.3f},format=gbrp,"
        "curves=r='0/0.04 0.5/0.52 1/1':b='0/0.10 0.5/0.54 1/0.98',format=yuv420p,split[c][d];"
        "[d]lutyuv=y='clip((val-120)*1.5,0,255)',gblur=sigma=9[g];"
        f"[c][g]blend=c0_mode=screen:c0_opacity=0.38,scale={canvas.whole}:flags=bicubic[e];"
        f"[b]{_ink(canvas, 30, 4.6)}[l];[e][l]{_MULTIPLY}[out]"
    )


def _watercolour(canvas: Canvas) -> str:
    paper = canvas.held(
        f"noise=c0s=60:c0_seed={canvas.grain}:c0f=a,gblur=sigma=1.6:planes=1,{_EMBOSS}:0rdiv=1,"
        "lutyuv=y='clip(242+(val-128)*1.5,150,255)'"
    )
    return (
        "[in]split[a][b];"
        f"[a]scale={canvas.half}:flags=bilinear,median=radius=5:radiusV=5,hue=h={canvas.hue:.2f}:"
        f"s={1.12 * canvas.strength:.3f},scale={canvas.whole}:flags=bicubic,"
        f"lutyuv={_steps(9, 0.45)}:u='128+(val-128)*1.05':v='128+(val-128)*1.05',eq=gamma=1.32:contrast=0.94[w];"
        "[b]gblur=sigma=2.2:planes=1,sobel=planes=1:scale=1,lutyuv=y='clip(255-2.2*max(val-14,0),120,255)',"
        "gblur=sigma=1.1:planes=1[l];"
        f"{paper}[p];"
        f"[w][l]{_MULTIPLY}[x];[x][p]{_MULTIPLY}[out]"
    )


def _noir(canvas: Canvas) -> str:
    return (
        "[in]hue=s=0,curves=all='0/0 0.22/0.06 0.5/0.5 0.74/0.9 1/1',format=yuv420p,split[a][b];"
        f"[b]scale={canvas.half}:flags=bilinear,lutyuv=y='clip((val-150)*2,0,255)',gblur=sigma=12,"
        f"scale={canvas.whole}:flags=bilinear[g];"
        "[a][g]blend=c0_mode=screen:c0_opacity=0.35:shortest=1,"
        f"vignette=angle={0.62 * canvas.strength:.3f},"
        f"noise=c0s={round(13 * canvas.strength)}:c0f=t+u:c0_seed={canvas.grain}[out]"
    )


def _sketch(canvas: Canvas) -> str:
    hatching = canvas.held(
        # How dark a place must be for a stroke to go there: one direction in the shade, both in the dark.
        "geq=lum='255-if(lt(mod(X+Y*0.6,9),3.2),118,0)-if(lt(mod(X-Y*0.7+200,11),3.2)*gte(mod(X+Y*0.6,9),3.2),72,0)'"
        ":cb=128:cr=128"
    )
    paper = canvas.held(
        f"noise=c0s=46:c0_seed={canvas.grain}:c0f=a,gblur=sigma=0.7:planes=1,"
        "lutyuv=y='clip(240+(val-128)*0.9,170,255)':u=124:v=131"
    )
    return (
        f"[in]lutyuv=u=124:v=131,split=3[a][b][c];"
        f"[b]negate=components=y,gblur=sigma={4.5 * canvas.strength:.2f}:planes=1[n];"
        "[a][n]blend=c0_mode=dodge:shortest=1,lutyuv=y='clip(255-(255-min(val+18,255))*2.6,24,255)'[s];"
        f"{hatching}[h];[c]lutyuv=y='clip((val-16)*1.16,0,255)',gblur=sigma=2:planes=1[t];"
        "[t][h]blend=c0_mode=hardmix:shortest=1,gblur=sigma=0.8:planes=1,lutyuv=y='112+val*143/255'[d];"
        f"[s][d]{_MULTIPLY}[x];{paper}[p];[x][p]{_MULTIPLY}[out]"
    )


def _neon(canvas: Canvas) -> str:
    turn = canvas.hue * 2
    return (
        "[in]split[a][b];"
        f"[a]hue=h={turn:.2f}:s=2.2,lutyuv=y='16+(val-16)*0.11',curves=b='0/0.06 1/1',format=gbrp[d];"
        f"[b]scale={canvas.half}:flags=area,format=gbrp,gblur=sigma=1,sobel=scale=1.2,"
        "lutrgb=r='clip((val-44)*1.5,0,255)':g='clip((val-50)*1.15,0,255)':b='clip((val-38)*1.7,0,255)',"
        f"hue=h={turn:.2f}:s=1.9,format=gbrp,split[e][f];"
        "[f]gblur=sigma=8,lutrgb=r='clip(val*1.5,0,255)':g='clip(val*1.1,0,255)':b='clip(val*1.8,0,255)'[g];"
        f"[g][e]blend=all_mode=screen,scale={canvas.whole}:flags=bicubic[x];"
        "[d][x]blend=all_mode=screen:shortest=1,format=yuv420p[out]"
    )


def _oil(canvas: Canvas) -> str:
    strokes = canvas.held(
        f"noise=c0s=100:c0_seed={canvas.grain}:c0f=a,gblur=sigma=1.1:planes=1,dblur=angle=38:radius=16:planes=1,"
        f"{_EMBOSS}:0rdiv=1,lutyuv=y='clip(128+(val-128)*2.2,50,206)'"
    )
    return (
        f"[in]scale={canvas.half}:flags=area,median=radius=5:radiusV=5,"
        f"hue=h={canvas.hue:.2f}:s={1.42 * canvas.strength:.3f},split[a][b];"
        f"[a]lutyuv={_steps(12, 0.5)}[c];[b]{_RELIEF}:0rdiv=0.4:0bias=128,gblur=sigma=0.6:planes=1[e];"
        f"[c][e]blend=c0_mode=hardlight:c0_opacity=0.55,scale={canvas.whole}:flags=bicubic,"
        f"unsharp=7:7:1.2:3:3:0[x];{strokes}[t];"
        "[x][t]blend=c0_mode=hardlight:c0_opacity=0.6:shortest=1,eq=contrast=1.06,vignette=angle=0.3[out]"
    )


def _vintage(canvas: Canvas) -> str:
    across, down = canvas.grain % 101 / 100, canvas.grain % 7 / 6
    leak = canvas.held(
        f"geq=lum='16+150*exp(-pow((X/W-{across:.2f})/0.22,2)-pow((Y/H-{down:.2f})/0.5,2))':cb=104:cr=156"
    )
    return (
        "[in]hue=s=0.3,format=gbrp,"
        "curves=r='0/0.16 0.45/0.58 1/1':g='0/0.11 0.5/0.54 1/0.93':b='0/0.12 0.55/0.42 1/0.72',"
        f"format=yuv420p,gblur=sigma=0.6:planes=1,vignette=angle={0.5 * canvas.strength:.3f}[a];{leak}[l];"
        "[a][l]blend=c0_mode=screen:c0_opacity=0.4:c1_opacity=0.9:c2_opacity=0.9:shortest=1,"
        f"noise=c0s={round(10 * canvas.strength)}:c0f=t+u:c0_seed={canvas.grain}[out]"
    )


def _cyberpunk(canvas: Canvas) -> str:
    shift = max(1, canvas.width // 320)
    scan = canvas.held("geq=lum='255-40*lt(mod(Y,4),2)':cb=128:cr=128")
    return (
        f"[in]hue=h={canvas.hue:.2f}:s={1.35 * canvas.strength:.3f},format=gbrp,"
        "curves=r='0/0.04 0.3/0.22 0.65/0.82 1/1':g='0/0.0 0.4/0.24 0.75/0.66 1/0.92':b='0/0.20 0.4/0.60 1/1',"
        f"rgbashift=rh={-shift}:bh={shift}:edge=smear,format=yuv420p,split[a][b];"
        f"[b]scale={canvas.half}:flags=bilinear,lutyuv=y='clip((val-128)*2,0,255)',gblur=sigma=11:planes=1,"
        f"scale={canvas.whole}:flags=bilinear[g];"
        f"{scan}[s];"
        f"[a][g]blend=c0_mode=screen:c0_opacity=0.45:shortest=1[x];[x][s]{_MULTIPLY}[out]"
    )


def _comic(canvas: Canvas) -> str:
    dots = canvas.held("geq=lum='186+46*(cos((X+Y)*0.62)+cos((X-Y)*0.62))/2+10':cb=128:cr=128")
    return (
        "[in]split=3[a][b][t];"
        f"[a]scale={canvas.half}:flags=area,median=radius=2:radiusV=2,"
        f"eq=contrast=1.2:brightness=0.06,lutyuv={_steps(4, 0.8)},"
        f"hue=h={canvas.hue:.2f}:s={1.8 * canvas.strength:.3f},scale={canvas.whole}:flags=bicubic[c];"
        f"{dots}[d];[t]gblur=sigma=2:planes=1[u];"
        "[u][d]blend=c0_mode=hardmix:shortest=1,gblur=sigma=0.7:planes=1,lutyuv=y='150+val*105/255'[h];"
        f"[c][h]{_MULTIPLY}[x];"
        f"[b]scale={canvas.half}:flags=area,{_ink(canvas, 30, 7.0, soften=0.8)},scale={canvas.whole}:flags=bicubic[l];"
        f"[x][l]{_MULTIPLY}[out]"
    )


def _clay(canvas: Canvas) -> str:
    dents = canvas.held(
        f"noise=c0s=90:c0_seed={canvas.grain}:c0f=a,gblur=sigma=5:planes=1,{_EMBOSS}:0rdiv=1,"
        "lutyuv=y='clip(128+(val-128)*4.5,92,164)'"
    )
    return (
        f"[in]scale={canvas.half}:flags=area,median=radius=6:radiusV=6,gblur=sigma=1.2,"
        f"hue=h={canvas.hue:.2f}:s={1.25 * canvas.strength:.3f},lutyuv={_steps(6, 0.55)},gblur=sigma=1.6,split[a][b];"
        f"[b]gblur=sigma=1.2:planes=1,{_RELIEF}:0rdiv=0.42:0bias=128,gblur=sigma=1.1:planes=1[e];"
        "[a][e]blend=c0_mode=hardlight:c0_opacity=0.85:shortest=1,"
        f"scale={canvas.whole}:flags=bicubic[c];{dents}[t];"
        "[c][t]blend=c0_mode=hardlight:c0_opacity=0.55:shortest=1,eq=gamma=1.15:saturation=1.08[out]"
    )


def _pixel(canvas: Canvas) -> str:
    block = max(2, round(min(canvas.width, canvas.height) / 96 * canvas.strength))
    return (
        f"[in]scale={max(2, canvas.width // block // 2 * 2)}:{max(2, canvas.height // block // 2 * 2)}:flags=area,"
        f"hue=h={canvas.hue:.2f}:s=1.5,eq=contrast=1.1,"
        "format=gbrp,lutrgb=r='round(val/42.5)*42.5':g='round(val/42.5)*42.5':b='round(val/51)*51',"
        f"scale={canvas.whole}:flags=neighbor,format=yuv420p[out]"
    )


LOOKS = (
    Look("plain", ("plain", "unchanged", "identity", "original"), _plain),
    Look("anime", ("anime", "manga", "cartoon", "cel", "ghibli", "toon", "animation", "animated"), _anime),
    Look("watercolour", ("watercolour", "watercolor", "aquarelle", "wash", "pastel", "gouache"), _watercolour),
    Look("noir", ("noir", "monochrome", "grayscale", "greyscale", "detective", "hitchcock"), _noir),
    Look("sketch", ("sketch", "pencil", "charcoal", "drawing", "drawn", "graphite", "etching", "lineart"), _sketch),
    Look("neon", ("neon", "glowing", "glow", "tron", "synthwave", "blacklight", "laser"), _neon),
    Look("oil", ("oil", "painting", "painted", "painterly", "impressionist", "gogh", "monet", "canvas", "brush"), _oil),
    Look("vintage", ("vintage", "sepia", "retro", "old", "nostalgic", "antique", "faded", "1920s"), _vintage),
    Look("cyberpunk", ("cyberpunk", "cyber", "futuristic", "bladerunner", "dystopian", "vaporwave", "hologram"),
         _cyberpunk),
    Look("comic", ("comic", "comics", "superhero", "halftone", "popart", "graphic", "lichtenstein", "marvel"), _comic),
    Look("clay", ("clay", "claymation", "plasticine", "stopmotion", "toy", "figurine", "puppet"), _clay),
    Look("pixel", ("pixel", "pixelated", "8bit", "16bit", "minecraft", "arcade", "voxel"), _pixel),
)
