"""Request files: read in every form, checked, split into batches, and kept as one spool."""

from streamer.requests.advice import Advice
from streamer.requests.estimate import Estimate
from streamer.requests.faults import Fault, FaultsError
from streamer.requests.prepare import prepare
from streamer.requests.slices import MAX_BYTES, MAX_REQUESTS, Slice, split
from streamer.requests.spool import Spool, read_spool

__all__ = [
    "MAX_BYTES",
    "MAX_REQUESTS",
    "Advice",
    "Estimate",
    "Fault",
    "FaultsError",
    "Slice",
    "Spool",
    "prepare",
    "read_spool",
    "split",
]
