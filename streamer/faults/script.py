"""The script: what a fault is written as, and which faults strike which request. Nothing here does I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from streamer.faults.kinds import KINDS, MANY, Kind, Value, has_zstd
from streamer.faults.offset import Offset, Unit

OPERATIONS = ("results", "poll", "list", "create", "cancel", "delete")
# `ended` is a poll or a list whose answer shows a batch that has ended; `any` is each of the six operations.
TARGETS = (*OPERATIONS, "ended", "any")

_START = re.compile(r"(?:([a-z_]+):)?([a-z0-9_]+)")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, and when it strikes.

    Attributes:
        text: as it was written.
        target: the operation it hits: one of `TARGETS`.
        name: one of `KINDS`.
        value: what stood after the `=`.
        place: where in the body; None where it has none.
        params: what stood after semicolons.
        p: the chance that it strikes, from 0 to 1.
        n: how often it strikes at most; None is no limit.
        every: it strikes the K-th, 2K-th, ... request only.
        after: how many requests are left alone at first.
        per_batch: `n`, `every` and `after` count for each batch by itself.
        draw: what is random in a fault that strikes comes from this number.
    """

    text: str
    target: str
    name: str
    value: Value = 0
    place: Offset | None = None
    params: tuple[tuple[str, str], ...] = ()
    p: float = 1.0
    n: int | None = None
    every: int = 1
    after: int = 0
    per_batch: bool = False
    draw: int = 0

    @property
    def kind(self) -> Kind:
        """What it does."""
        return KINDS[self.name]

    @property
    def number(self) -> int:
        """The value of a fault that takes a number."""
        assert isinstance(self.value, int)  # noqa: S101 - its kind reads numbers
        return self.value

    def param(self, name: str) -> str | None:
        """What stood after `;name=`; empty for a bare `;name`, None when it was not there."""
        return dict(self.params).get(name)


def parse(text: str) -> Fault:
    """Read one fault: `[OPERATION:]NAME[=VALUE][@PLACE][;PARAM[=VALUE]]...[,WHEN=...]...`.

    >>> fault = parse("poll:status=429;retry-after=3,n=2")
    >>> fault.target, fault.name, fault.number, fault.param("retry-after"), fault.n
    ('poll', 'status', 429, '3', 2)

    Raises:
        ValueError: it cannot be read; the message has the fault, what is wrong with it and what would be right.
    """
    try:
        return _parse(text)
    except ValueError as error:
        raise ValueError(f"fault {text!r}: {error}") from None


def _parse(text: str) -> Fault:
    # Commas may be part of a value, as in the date of a retry-after: only what is a condition at the end is one.
    what, *rest = text.split(",")
    conditions: list[str] = []
    while rest and rest[-1].partition("=")[0] in _CONDITIONS:
        conditions.insert(0, rest.pop())
    what, *params = ",".join([what, *rest]).split(";")
    start = _START.match(what)
    if start is None:
        raise ValueError(f"it must start with a name; known faults: {', '.join(KINDS)}")
    target, name = start.groups()
    if name not in KINDS:
        raise ValueError(f"no fault is called {name!r}; known faults: {', '.join(KINDS)}")
    kind = KINDS[name]
    if target is not None and target not in TARGETS:
        raise ValueError(f"no operation is called {target!r}; known: {', '.join(TARGETS)}")
    if name.startswith("zstd") and not has_zstd():
        raise ValueError("zstd is not installed here: pip install 'batchstreamer[fast]'")
    value, place = _value_and_place(kind, what[start.end() :])
    fault = Fault(
        text=text,
        target=target or kind.operation,
        name=name,
        value=value,
        place=place,
        params=tuple(_param(kind, param) for param in params),
    )
    _check(fault)
    for condition in conditions:
        fault = _with_condition(fault, *condition.split("=", 1))
    return fault


def _value_and_place(kind: Kind, text: str) -> tuple[Value, Offset | None]:
    written: str | None = None
    if kind.place is not None and "@" in text:
        text, _, written = text.rpartition("@")
    if not text:
        if kind.takes and kind.default is None:
            raise ValueError(f"it needs a value: ={kind.takes}")
        value: Value = kind.default or 0
    elif not kind.takes or text[0] != "=":
        allowed = " or ".join([f"={kind.takes}"] * bool(kind.takes) + ["@PLACE"] * (kind.place is not None))
        raise ValueError(f"{text!r} cannot follow the name" + (f"; {allowed} can" if allowed else ""))
    else:
        value = kind.read(text[1:])
    if written is None:
        if kind.place is None or kind.place_optional:
            return value, None
        if not kind.place:
            raise ValueError("it needs a place in the body: @1000, @64k, @50%, @random or @head")
        written = kind.place
    return value, Offset.parse(written)


def _param(kind: Kind, text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if name not in kind.params and not (
        "*" in kind.params and _HEADER.fullmatch(name) and value.isascii() and value.isprintable()
    ):
        known = ", ".join(param for param in kind.params if param != "*")
        raise ValueError(f";{name} is not known" + (f"; known: {known}" if known else " to this fault"))
    return name, value


def _check(fault: Fault) -> None:
    step, side = fault.param("step"), fault.param("at")
    if fault.place is not None and fault.place.unit is Unit.HEAD and fault.name not in ("fin", "rst", "stall"):
        raise ValueError("@head is for fin, rst and stall only")
    if step is not None and (fault.place is None or fault.place.unit is not Offset.parse(step).unit):
        raise ValueError("a step must be of the same kind as the place: fin@5%;step=5% or fin@1k;step=1k")
    if side is not None and (side not in ("boundary", "inside") or fault.place is None):
        raise ValueError("at=boundary or at=inside moves a place in the body to the end of a record or away from it")
    if fault.name == "redirect" and not (fault.param("status") or "307").isdecimal():
        raise ValueError("the status of a redirect is a number such as 302")


def _chance(fault: Fault, text: str) -> Fault:
    p = float(text)
    if not 0 <= p <= 1:
        raise ValueError
    return replace(fault, p=p)


def _per(fault: Fault, text: str) -> Fault:
    if text != "batch":
        raise ValueError
    return replace(fault, per_batch=True)


def _every(fault: Fault, text: str) -> Fault:
    if int(text) < 1:
        raise ValueError
    return replace(fault, every=int(text))


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError
    return int(text)


_CONDITIONS: dict[str, tuple[Callable[[Fault, str], Fault], str]] = {
    "p": (_chance, "p=0.05 is a chance from 0 to 1"),
    "n": (lambda fault, text: replace(fault, n=_number(text)), "n=3 is how often it strikes at most"),
    "every": (_every, "every=3 is every third request"),
    "after": (lambda fault, text: replace(fault, after=_number(text)), "after=3 leaves the first three alone"),
    "per": (_per, "per=batch counts for each batch by itself"),
}


def _with_condition(fault: Fault, name: str, value: str = "") -> Fault:
    read, form = _CONDITIONS[name]
    try:
        return read(fault, value)
    except ValueError:
        raise ValueError(f"{name}={value}: {form}") from None


@dataclass(slots=True)
class _History:
    """What one fault has met."""

    seen: Counter[str] = field(default_factory=Counter)  # requests of its operation, by batch
    struck: Counter[str] = field(default_factory=Counter)  # of these, by batch


class Script:
    """Faults in order, and which of them strike the next request.

    Chances and random places depend on the seed, the fault, the batch and how often that batch was asked for, and not
    on how the requests of several batches mix: a run can be repeated.

    Args:
        faults: each as `parse` reads it.
        seed: another seed, other draws.

    Raises:
        ValueError: a fault that cannot be read.
    """

    def __init__(self, faults: Sequence[str] = (), seed: int = 0) -> None:
        self.seed = seed
        self.faults = tuple(parse(text) for text in faults)
        self._histories = [_History() for _ in self.faults]

    def next(self, operation: str, batch: str = "") -> list[Fault]:
        """The faults that strike this request: what is random in them is drawn, and no two contradict each other."""
        striking: list[Fault] = []
        for index, fault in enumerate(self.faults):
            if fault.target != operation and not (fault.target == "any" and operation in OPERATIONS):
                continue
            history = self._histories[index]
            random = Random(f"{self.seed}/{index}/{batch}/{history.seen[batch]}")  # noqa: S311 - not for secrets
            strikes = _strikes(fault, history, batch, random.random())
            history.seen[batch] += 1
            taken = fault.kind.stage not in MANY and any(fault.kind.stage is other.kind.stage for other in striking)
            drawn = _drawn(fault, random, history.struck[batch])
            if strikes and not taken and drawn is not None:
                striking.append(drawn)
                history.struck[batch] += 1
        return striking

    def struck(self) -> dict[str, int]:
        """How often each fault has struck, by its text; one that is listed twice counts once for both."""
        counts: dict[str, int] = {}
        for fault, history in zip(self.faults, self._histories, strict=True):
            counts[fault.text] = counts.get(fault.text, 0) + history.struck.total()
        return counts


def _strikes(fault: Fault, history: _History, batch: str, drawn: float) -> bool:
    seen = history.seen[batch] if fault.per_batch else history.seen.total()
    struck = history.struck[batch] if fault.per_batch else history.struck.total()
    turn = seen - fault.after + 1
    return turn > 0 and turn % fault.every == 0 and (fault.n is None or struck < fault.n) and drawn < fault.p


def _drawn(fault: Fault, random: Random, before: int) -> Fault | None:
    """The fault with what is random in it drawn, and its place moved on; None once that is past the end."""
    place, step = fault.place, fault.param("step")
    if place is not None and place.unit is Unit.RANDOM:
        place = Offset(Unit.SHARE, random.random())
    elif place is not None and step is not None:
        place = place.later(Offset.parse(step), before)
        if place is None:
            return None
    return replace(fault, place=place, draw=random.getrandbits(64))
