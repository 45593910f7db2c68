"""`reelflow gallery`: the pages of a folder, in the browser."""

from __future__ import annotations

from pathlib import Path

from reelflow.home import expanded


def gallery(folder: Path = Path(), /, *, port: int = 8650) -> int:
    """Serve a folder of runs' pages on this machine until Ctrl-C: a listing, and films that can be seeked.

    Parameters
    ----------
    folder
        The folder that the films lie in. Default: this one.
    port
        Port to listen on; 0 takes a free one.
    """
    from reelflow.page.gallery import serve_gallery

    serve_gallery(expanded(folder), port=port)
    return 0
