"""Looks for keys where no key may be: in text, bytes and whole folders, in the forms that programs give to text."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.api.servers import KEY as API_KEY
from tests.api.servers import LONG_KEY
from tests.cli.command import KEY as CLI_KEY
from tests.faults.raw import KEY as FAULTS_KEY

# Every key that the tests hold and that is no ordinary word. None of them may turn up in what is written or said.
CANARIES = (API_KEY, LONG_KEY, CLI_KEY, FAULTS_KEY)
CHUNK = 1 << 22  # bytes read at once


def forms(key: str) -> set[bytes]:
    """The key as it may stand in a file: as it is, half of it, in hexadecimal, base64 at any offset, and UTF-16."""
    raw = key.encode()
    half = raw[: len(raw) * 2 // 3]
    found = {half, raw[::-1], half.hex().encode(), half.hex().upper().encode(), key.encode("utf-16-le")}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        # The characters at either end also hold bits of what stands beside the key.
        found.add(encoded[4 if shift else 0 : -4])
    return found


@dataclass
class Finder:
    """What was searched and where a key was found."""

    keys: Iterable[str] = CANARIES
    files: int = 0
    texts: int = 0
    size: int = 0  # bytes of all of it
    hits: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._needles = sorted(set().union(*map(forms, self.keys)))
        self._overlap = max(map(len, self._needles)) - 1

    def __str__(self) -> str:
        return f"searched {self.files:,} files and {self.texts:,} texts, {self.size:,} bytes: {len(self.hits):,} hits"

    def text(self, text: str | bytes, where: str) -> None:
        """Search a log line, a repr, a report; `where` says what it was."""
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self.texts += 1
        self.size += len(data)
        self._look(data, where)

    def folder(self, folder: Path) -> None:
        """Search every file below `folder`, and their names."""
        for base, folders, names in os.walk(folder):
            self._look("\0".join([*folders, *names]).encode("utf-8", "surrogateescape"), f"a name in {base}")
            for name in names:
                path = Path(base, name)
                if path.is_file() and not path.is_symlink():
                    self._file(path)

    def _file(self, path: Path) -> None:
        self.files += 1
        tail = b""
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                self.size += len(chunk)
                if self._look(tail + chunk, str(path)):
                    return
                tail = chunk[-self._overlap :]

    def _look(self, data: bytes, where: str) -> bool:
        found = any(needle in data for needle in self._needles)
        if found:
            self.hits.append(where)
        return found
