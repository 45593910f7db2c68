"""Another machine, in this one's memory."""

from __future__ import annotations

from typing import Any, ClassVar

from fsspec.implementations.memory import MemoryFileSystem


class Elsewhere(MemoryFileSystem):  # type: ignore[misc]
    """Files in memory, at elsewhere://…, with the network's moods and with others who write there."""

    protocol = "elsewhere"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    broken: ClassVar[dict[str, int]] = {}
    """How often a file whose path has this in it can't be opened."""
    arrives: ClassVar[dict[str, bytes]] = {}
    """What somebody writes at a path right after it was looked at in vain."""
    leaves: ClassVar[set[str]] = set()
    """Paths from which somebody takes a file right before it is opened."""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace(f"{cls.protocol}://", "memory://")))

    def open(self, path: str, *given: Any, **more: Any) -> Any:
        """Open a file, if it can be."""
        if path in self.leaves:
            self.rm_file(path)
            self.leaves.remove(path)
        for told, left in self.broken.items():
            if told in path and left:
                self.broken[told] -= 1
                raise ConnectionResetError("Connection reset by peer")
        return super().open(path, *given, **more)

    def info(self, path: str, **more: Any) -> Any:
        """What lies at a path."""
        try:
            return super().info(path, **more)
        except FileNotFoundError:
            if path in self.arrives:
                self.pipe_file(path, self.arrives.pop(path))
            raise
