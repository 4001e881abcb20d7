"""How many deliveries at once the limit of open files allows."""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Sequence

from streamer.sinks.base import Sink

log = logging.getLogger("streamer.runs")

ALSO = 16  # files that a run needs beside its deliveries: polls, a journal, host names, what Python imports late
EACH = 2  # files that a delivery has open beside its writers': its connection, and its rejects


def fitting(concurrency: int, sinks: Sequence[Sink]) -> int:
    """So many deliveries at once, or as many as can have all their files open.

    Args:
        concurrency: how many are asked for.
        sinks: where each of them writes.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return concurrency
    each = EACH + sum(sink.open_files for sink in sinks)
    fit = max(1, (limit - len(os.listdir("/dev/fd")) - ALSO) // each)  # noqa: PTH208 - names are counted, no paths made
    if fit >= concurrency:
        return concurrency
    log.warning(
        "%d batches at once are delivered instead of %d, as this process may have %d files open; raise the limit of "
        "open files (ulimit -n) for more",
        fit,
        concurrency,
        limit,
        extra={"action": "lower_concurrency"},
    )
    return fit
