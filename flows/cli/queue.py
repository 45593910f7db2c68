"""`reelflow queue`: the stand-in queue on its own."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

app = App(name="queue", help="The stand-in queue.", result_action="return_value")


@app.command
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8642,
    workers: int = 1,
    service_seconds: float = 0.0,
    fault: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    control: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Serve the stand-in queue until Ctrl-C: the wire of the real one, pictures by ffmpeg.

    Parameters
    ----------
    host
        Address to listen on.
    port
        Port to listen on.
    workers
        Jobs rendered at once.
    service_seconds
        Least seconds that a job takes.
    fault
        A fault to act out, as NAME=COUNT; may be given several times.
    control
        Open the control routes that tests use.
    """
    from reelflow.media.run import find_ffmpeg
    from reelflow.settings import read_settings
    from reelflow.standin.server import serve as serve_standin

    settings = read_settings()
    serve_standin(
        settings.work_dir / "stand-in", ffmpeg=find_ffmpeg(settings.ffmpeg), host=host, port=port, workers=workers,
        service_seconds=service_seconds, faults=fault, control=control, models=settings.model_table,
    )
    return 0
