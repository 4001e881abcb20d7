"""Which sink a target of the command line means.

`-` is standard output, `SCHEME:REST` picks the sink that registered SCHEME under the entry point group
`streamer.sinks`, and anything else is a file template. A package adds a sink with three lines of its pyproject:

    [project.entry-points."streamer.sinks"]
    example = "example_sink:sink_from_target"

where `sink_from_target(rest: str) -> Sink` is given what follows `example:`. The built-in schemes do the same.
"""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points

from streamer.errors import ConfigurationError, StreamerError
from streamer.sinks.base import Sink
from streamer.sinks.file import FileSink
from streamer.sinks.stdout import StdoutSink

GROUP = "streamer.sinks"
SCHEMED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)  # two letters at least: C:\results is a path


def sink_for(target: str) -> Sink:
    """The sink that `target` means.

    Raises:
        ConfigurationError: no installed package provides its scheme, or it cannot be used as it is written.
    """
    if target == "-":
        return StdoutSink()
    match = SCHEMED.fullmatch(target)
    if match is None:
        return FileSink(target)
    scheme, rest = match.groups()
    return _make(_provider(scheme, target), rest, target)


def _provider(scheme: str, target: str) -> EntryPoint:
    known = entry_points(group=GROUP)
    found = {point.value: point for point in known if point.name == scheme}
    if not found:
        schemes = ", ".join(sorted({f"{point.name}:" for point in known}))
        raise ConfigurationError(
            f"the target {target!r} begins with {scheme}:, which no installed package provides; known are {schemes}; "
            f"for a file of that name write ./{target}"
        )
    if len(found) > 1:
        raise ConfigurationError(
            f"the target {target!r} could mean either of {', '.join(sorted(found))}; uninstall the packages but one"
        )
    return next(iter(found.values()))


def _make(point: EntryPoint, rest: str, target: str) -> Sink:
    """Load a provider, which may be anybody's code, and have it make the sink."""
    try:
        sink = point.load()(rest)
    except StreamerError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"the target {target!r} cannot be used: {point.value} raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(sink, Sink):
        raise ConfigurationError(
            f"the target {target!r} cannot be used: {point.value} gave a {type(sink).__name__}, which is not a Sink"
        )
    return sink
