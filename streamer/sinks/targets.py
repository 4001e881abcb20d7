"""Which sink a target of the command line means.

`-` is standard output, `SCHEME:REST` picks the sink that registered SCHEME under the entry point group
`streamer.sinks`, and anything else is a file template. A package adds a sink with three lines of its pyproject:

    [project.entry-points."streamer.sinks"]
    example = "example_sink:sink_from_target"

where `sink_from_target(rest: str) -> Sink` is given what follows `example:`. The built-in schemes do the same.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import TypeAlias

from streamer.arguments import described
from streamer.errors import ConfigurationError, StreamerError
from streamer.sinks.base import Sink
from streamer.sinks.file import FileSink
from streamer.sinks.stdout import StdoutSink

GROUP = "streamer.sinks"
SCHEMED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)  # two letters at least: C:\results is a path


Target: TypeAlias = Sink | str | os.PathLike[str]


def sinks_of(given: Target | Iterable[Target]) -> list[Sink]:
    """The sinks of a run: sinks as they are, paths as file sinks, strings as the command line takes them.

    Args:
        given: one, or several of any kind.

    Raises:
        ConfigurationError: there is none, or one that cannot be used.
    """
    targets = list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]
    if not targets:
        raise ConfigurationError(
            "sinks is empty, so the records would go nowhere; give a path with {batch_id}, e.g. "
            "'results/{batch_id}.jsonl', or a sink"
        )
    sinks = [_sink_of(target) for target in targets]
    for number, (target, sink) in enumerate(zip(targets, sinks, strict=True)):
        if sink in sinks[:number] or (isinstance(target, str | os.PathLike) and target in targets[:number]):
            raise ConfigurationError(f"sinks has {target} twice; give each place once")
    return sinks


def _sink_of(target: Target) -> Sink:
    if isinstance(target, Sink):
        return target
    if isinstance(target, str):
        return sink_for(target)
    if isinstance(target, os.PathLike):
        return FileSink(target)
    if isinstance(target, type):
        hint = "; make one of it" if issubclass(target, Sink) else ""
    elif isinstance(target, asyncio.Queue):
        hint = "; write streamer.QueueSink(queue)"
    elif callable(target):
        hint = "; write streamer.CallbackSink(function)"
    else:
        hint = ""
    raise ConfigurationError(f"sinks has {described(target)}, which is no sink{hint}; give a path or a streamer.Sink")


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
