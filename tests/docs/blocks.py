"""What README.md and docs/ tell a person to type: fenced blocks, the commands in them, and code in the text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
SHELL = ("sh", "console")
"""`sh` is run by a test, page by page; `console` needs a key, a server or another machine, and is read only."""
KNOWN = (*SHELL, "text", "yaml", "python", "json")
_FENCE = re.compile(r"(?ms)^( *)```(?P<info>[^\n]*)\n(?P<text>.*?)^\1```$")
_ENDS = {"|", "||", "&&", ";", "&"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, its first line's number, its language, its title (a file's name), its text."""

    page: Path
    line: int
    language: str
    title: str
    text: str

    def commands(self) -> Iterator[tuple[str, ...]]:
        """The words of each command of a shell block; what is between here-document marks is none."""
        lines = iter(self.text.replace("\\\n", " ").splitlines())
        for line in lines:
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words: list[str] = []
            for word in lexer:
                if word in _ENDS:
                    yield from filter(None, [tuple(words)])
                    words = []
                else:
                    words.append(word)
            yield from filter(None, [tuple(words)])


def blocks(page: Path) -> tuple[Block, ...]:
    """The fenced blocks of a page."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        language, _, more = match["info"].strip().partition(" ")
        title = re.search(r'title="([^"]+)"', more)
        inner = re.sub(rf"(?m)^{match[1]}", "", match["text"])
        found.append(Block(page, text[:match.start()].count("\n") + 1, language, title[1] if title else "", inner))
    return tuple(found)


def spans(page: Path) -> tuple[str, ...]:
    """The code in a page's text, outside of blocks."""
    return tuple(" ".join(span.split()) for span in re.findall(r"(?s)`([^`]+)`", _FENCE.sub("", page.read_text())))


def named(page: Path) -> str:
    """A page's path from the root, for the name of a test."""
    return str(page.relative_to(ROOT))
