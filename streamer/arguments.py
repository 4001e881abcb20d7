"""Arguments of the public functions: what is passed by mistake is told in one sentence that names the argument."""

from __future__ import annotations

import inspect

from streamer.errors import ConfigurationError


def check_kind(argument: str, given: object, kind: type, hint: str = "") -> None:
    """See that an argument is what it has to be.

    Args:
        argument: its name.
        given: what was passed.
        kind: the class that it has to be of.
        hint: what to do about it.

    Raises:
        ConfigurationError: it is something else.
    """
    if not isinstance(given, kind):
        raise ConfigurationError(
            f"{argument} is {described(given)}, not a streamer.{kind.__name__}{'; ' if hint else ''}{hint}"
        )


def check_client(given: object, kind: type) -> None:
    """See that a client is ours.

    Raises:
        ConfigurationError: it is something else, e.g. the official one.
    """
    check_kind("client", given, kind, "make one with streamer.Client(), which reads the same environment variables")


def check_observer(given: object, kind: type) -> None:
    """See that an observer can be told: its methods are called and not awaited.

    Raises:
        ConfigurationError: it is something else, or a method of it is `async def`.
    """
    check_kind("observer", given, kind, f"subclass streamer.{kind.__name__} and override what you want to hear")
    for name, method in inspect.getmembers(given, inspect.iscoroutinefunction):
        if hasattr(kind, name):
            raise ConfigurationError(
                f"observer.{name} is an `async def` ({method.__qualname__}), and observers are called and not awaited; "
                "make it a plain function that returns at once, e.g. one that puts what it hears into a queue"
            )


def described(given: object) -> str:
    """What somebody passed, for a message.

    >>> described(7), described(Exception)
    ('the int 7', 'the class Exception')
    """
    if given is None:
        return "None"
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if isinstance(given, bool | int | float | str | bytes):
        return f"the {type(given).__name__} {given!r:.60}"
    name = type(given).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
