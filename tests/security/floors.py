"""Whether the lowest versions that pyproject.toml allows still work: `python -m tests.security.floors [PYTHON]`.

Makes a new environment in a temporary folder, installs the package from this checkout with every dependency at
exactly the version after its `>=`, and runs the tests that need neither much time nor the clock. Takes some minutes
and needs the package index. PYTHON is the interpreter to use, by default the one that runs this.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("cli", "fast", "test")  # linters change nothing about what runs
TESTS = ("tests/api", "tests/results", "tests/sinks", "tests/security", "tests/test_delivery.py", "tests/cli")
FLOOR = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<version>[0-9.]+)(?P<marker>\s*;.*)?")


def floors(pyproject: str) -> list[str]:
    """Every requirement pinned to its floor; one on this project's own extras is left out.

    >>> floors('[project]\\nname = "x"\\ndependencies = ["aiohttp>=3.14.3; python_version > \\'3\\'"]')
    ["aiohttp==3.14.3; python_version > '3'"]

    Raises:
        ValueError: a requirement has no floor, so nobody can say what it was tested with.
    """
    project = tomllib.loads(pyproject)["project"]
    extras = project.get("optional-dependencies", {})
    wanted = [*project["dependencies"], *(text for name in EXTRAS for text in extras.get(name, ()))]
    pinned = []
    for text in wanted:
        if text.startswith(f"{project['name']}["):
            continue
        match = FLOOR.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not of the form name>=version")
        pinned.append(f"{match['name']}=={match['version']}{match['marker'] or ''}")
    return pinned


def main(python: str) -> int:
    """Install and test; the exit code is that of the first step that fails."""
    with tempfile.TemporaryDirectory(prefix="streamer-floors-") as folder:
        inside = f"{folder}/bin/python"
        steps = (
            [python, "-m", "venv", folder],
            [inside, "-m", "pip", "install", "--quiet", *floors((ROOT / "pyproject.toml").read_text())],
            [inside, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", str(ROOT)],
            [inside, "-m", "pip", "freeze", "--exclude-editable"],
            [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        )
        for step in steps:
            shown = " ".join(step[:6]) + " ..." * (len(step) > 6)
            sys.stdout.write(f"$ {shown}\n")
            sys.stdout.flush()
            if code := subprocess.run(step, cwd=ROOT, check=False).returncode:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or [sys.executable]))
