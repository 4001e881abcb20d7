"""The command: `python -m benchmarks`, optionally followed by contenders as `module:callable`."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bodies import Bodies
from benchmarks.compare import TOLERANCE, regressions
from benchmarks.contenders import Entrant
from benchmarks.job import Kind
from benchmarks.measure import Bench
from benchmarks.results import Results
from benchmarks.scenarios import Stage, scenarios
from benchmarks.server import serving
from benchmarks.table import tables
from benchmarks.targets import targets


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("contenders", nargs="*", metavar="MODULE:CALLABLE", help="further contenders (README.md)")
    parser.add_argument("--quick", action="store_true", help="less of everything, in under two minutes")
    parser.add_argument("--only", action="append", metavar="NAME", choices=list(scenarios()), help="only this scenario")
    parser.add_argument("--rounds", type=int, help="how often everyone runs (3, quick: 2)")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop", help="event loop (uvloop)")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="write copies there (default: a temporary directory)"
    )
    parser.add_argument("--results", type=Path, metavar="DIR", default=Path("benchmark-results"), help="JSON and plots")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="fail when ratios are worse than in that run")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help=f"by how much they may be ({TOLERANCE})")
    return parser.parse_args(argv)


def _machine(server: str, loop: str) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": str(os.cpu_count()),
        "results server": server,
        "event loop": loop,
    }


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:110]}", end="", file=sys.stderr, flush=True)


def _measure(arguments: argparse.Namespace) -> Results:
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as place:
        work = Path(place)
        root, output = work / "served", arguments.output or work / "output"
        for directory in (root, output):
            directory.mkdir(parents=True, exist_ok=True)
        with serving(root, work) as server:
            bench = Bench(
                rounds=arguments.rounds or (2 if arguments.quick else 3),
                seconds=0.2 if arguments.quick else 1.0,
                loop=arguments.loop,
                certificate=str(server.authority),
                output=output,
                say=_say,
            )
            bench.results.machine = _machine(server.name, arguments.loop)
            stage = Stage(
                bench=bench,
                bodies=Bodies(root, server.origins),
                quick=arguments.quick,
                extra=[Entrant(name=name, kind=Kind.TYPED, target=name) for name in arguments.contenders],
            )
            for name, scenario in scenarios().items():
                if arguments.only is None or name in arguments.only:
                    scenario(stage)
        _say("")
        return bench.results


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; returns the exit code: 1 when `--compare` finds something worse."""
    arguments = _arguments(argv)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the server ends with us
    begun = time.monotonic()
    results = _measure(arguments)
    print(*(f"{name}: {value}" for name, value in results.machine.items()), sep="\n")
    print(*tables(results), sep="\n")
    print("", "targets", *targets(results), sep="\n")
    arguments.results.mkdir(parents=True, exist_ok=True)
    results.save(arguments.results / "results.json")
    from benchmarks.plots import draw  # slow to import, and not needed by those who only look at --help

    drawn = draw(results, arguments.results)
    print(f"\n{arguments.results / 'results.json'} and {len(drawn)} plots, in {time.monotonic() - begun:.0f} s")
    if arguments.compare is None:
        return 0
    worse = list(regressions(Results.load(arguments.compare), results, arguments.tolerance))
    print(*(worse or ["nothing is worse than before"]), sep="\n")
    return 1 if worse else 0


if __name__ == "__main__":
    raise SystemExit(main())
