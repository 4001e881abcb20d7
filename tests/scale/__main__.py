"""`python -m tests.scale`: the scenarios at full size, with their figures."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from tests.peers.nginx import NGINX
from tests.scale.scenarios import (
    copies_at_once,
    large_batch,
    long_record,
    long_records_at_once,
    many_batches,
    process_file,
    static_file,
)


def say(line: str) -> None:
    """One line of figures, at once."""
    print(line, flush=True)  # noqa: T201 - this is what the command is for


def main() -> None:
    """Run them one after the other; an assertion that fails ends it."""
    parser = argparse.ArgumentParser(prog="python -m tests.scale", description=__doc__)
    parser.add_argument("--seed", type=int, default=Random().randrange(1 << 32), help="what an earlier run has printed")
    parser.add_argument("--folder", type=Path, help="where files go for a while, 4 GB at once (default: temporary)")
    args = parser.parse_args()
    say(f"seed {args.seed}")
    scenarios: list[Callable[[Path], str]] = [
        partial(many_batches, few=20, many=500, records=200, steps=25, seed=args.seed),
        partial(long_record, size=100_000_000, seed=args.seed),
        partial(long_records_at_once, batches=8, size=int(31.9 * 2**20), seed=args.seed),
        partial(copies_at_once, batches=1000, records=200, rate=200_000, seed=args.seed),
        partial(large_batch, records=100_000, record_bytes=20_000, seed=args.seed),
        partial(process_file, requests=250_000, request_bytes=300, batches=3, most=100_000, seed=args.seed),
        partial(process_file, requests=40_000, request_bytes=15_000, batches=3, most=100_000, seed=args.seed),
    ]
    if NGINX is not None:
        scenarios.append(partial(static_file, records=100_000, record_bytes=10_000))
    else:
        say("nginx is not installed: the static file is left out")
    for scenario in scenarios:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            say(scenario(Path(folder)))


if __name__ == "__main__":
    main()
