"""What this process has used so far: CPU time and memory."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path


def cpu_seconds() -> float:
    """User and system time of this process and of those it started and waited for."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def peak_megabytes() -> float:
    """The most memory that this process ever had resident.

    From /proc where there is one: ru_maxrss counts what the parent had when it started us.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found is not None:
            return int(found[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
