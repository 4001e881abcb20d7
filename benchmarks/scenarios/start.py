"""How long importing takes, and whether an optional package is imported with it."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.results import Row
from benchmarks.scenarios import Stage

REPEATS = 9
OPTIONAL = ("rich", "shtab", "isal", "backports.zstd", "anthropic", "pydantic", "httpx")
STATEMENTS = ("import streamer", "from streamer import Client, FileSink, run, stream", "import aiohttp")
TIMED = """
import sys, time
begun = time.perf_counter()
{statement}
print(time.perf_counter() - begun, *(name for name in {optional!r} if name in sys.modules))
"""


def run(stage: Stage) -> None:
    """Each import in a fresh interpreter: the package, what a user needs of it, and aiohttp, which is most of that."""
    for statement in STATEMENTS:
        row = Row(scenario="start", case="import", at=0, contender=statement)
        for _ in range(REPEATS):
            code = TIMED.format(statement=statement, optional=OPTIONAL)
            said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
            seconds, *imported = said.split()
            row.add({"import ms": float(seconds) * 1e3, "optional packages": len(imported)})
        stage.bench.results.rows.append(row)
