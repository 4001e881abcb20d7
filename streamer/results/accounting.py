"""What came, counted: distinct custom_ids by type, tokens by model, and whether that proves a batch complete.

Pure functions over data: no I/O, no clock. A clean end of the transfer proves nothing (the results endpoint promises
neither a length nor an order), so the proof is arithmetic: the distinct custom_ids number what the batch's
`request_counts` say, type by type.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from sys import intern
from typing import Any

import msgspec
from msgspec.structs import astuple

from streamer.api.types import RESULT_TYPES, RequestCounts, ResultType
from streamer.results.record import HeadResult, HeadUsage

LONG_PROMPT = 100_000  # tokens; of some models a record with a longer prompt has another price
NAMED = 100  # custom_ids of a kind (come twice, missing, unknown) that a report names; the others are counted
MESSAGE_LENGTH = 300  # characters of an error's message by which it is counted


Columns = list[tuple[Any, ...]]  # the values of each field of `HeadUsage`, of several of them


class Tokens(msgspec.Struct):
    """Tokens used by the records of one model, summed; `requests` is how many records reported usage."""

    requests: int = 0
    input: int = 0  # neither read from nor written to the cache
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    thinking: int = 0  # a part of output
    web_searches: int = 0  # calls, not tokens

    def add_columns(self, columns: Columns) -> None:
        """Count the usage of several records: a column at a time, which costs half of what a record at a time does."""
        inputs, outputs, writes, reads, splits, calls, details, _ = columns
        self.requests += len(inputs)
        self.input += sum(inputs)
        self.output += sum(outputs)
        self.cache_read += sum(filter(None, reads))
        if written := sum(filter(None, writes)):
            hour = sum(split.ephemeral_1h_input_tokens for split, n in zip(splits, writes, strict=True) if split and n)
            self.cache_write_1h += hour
            self.cache_write_5m += written - hour  # five minutes is the API's default time to live
        self.thinking += sum(detail.thinking_tokens for detail in details if detail) if any(details) else 0
        self.web_searches += sum(call.web_search_requests for call in calls if call) if any(calls) else 0

    def add(self, other: Tokens) -> None:
        """Count what another sum holds."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def rate(model: str, usage: HeadUsage) -> str:
    """Under which name tokens are summed: the model's, and what else decides their price.

    >>> rate("claude-haiku-5-5", HeadUsage(input_tokens=2_000, cache_read_input_tokens=99_000, inference_geo="us"))
    'claude-haiku-5-5;geo=us;long'
    """
    prompt = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return model + (";geo=us" if usage.inference_geo == "us" else "") + (";long" if prompt > LONG_PROMPT else "")


def _columns(usages: Sequence[HeadUsage]) -> Columns:
    return list(zip(*map(astuple, usages), strict=True))


def _all_plain(columns: Columns) -> bool:
    """Whether certainly none of them is of a rate of its own; much faster than asking for the rate of each."""
    inputs, _, writes, reads, *_, places = columns
    longest = max(inputs) + max(filter(None, writes), default=0) + max(filter(None, reads), default=0)
    return longest <= LONG_PROMPT and "us" not in places


class Tally:
    """The distinct records of one batch, counted as they pass.

    A batch has at most 100,000 records, so the ids are bounded (about 15 MB). A download that is begun again brings
    known ids once more: call `begin_pass` first, so that those are not taken for duplicates.
    """

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}  # custom_id -> type of the first record that carried it
        self.types: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()  # errored records by the API's error type
        self.messages: Counter[str] = Counter()  # what the API said of those, as `type: message`; the first kinds
        self.usage: dict[str, Tokens] = {}  # by model, and by what else decides the price: see `rate`
        self.duplicates = 0  # records whose custom_id had already come in the same pass
        self.duplicate_ids: list[str] = []  # the first of those
        self._passed: set[str] | None = None  # the ids of this pass; None while that is `ids` itself

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Tally {len(self):,} distinct ids, {dict(self.types)}, {self.duplicates:,} duplicates>"

    def begin_pass(self) -> None:
        """The records are about to come from the first one again."""
        self._passed = set() if self.ids else None
        self.duplicates = 0
        self.duplicate_ids = []

    def add(self, ids: list[str], results: list[HeadResult]) -> list[bool] | None:
        """Count records, and say which of them are new; None when all are."""
        if not ids:
            return None
        first = results[0]
        bare = first.message is None and first.error is None and results.count(first) == len(results)
        types: list[str] = [first.type] * len(ids) if bare else [intern(result.type) for result in results]
        before = len(self.ids)
        # One pass in C, where asking first and adding then would be two.
        deque(map(self.ids.setdefault, ids, types), maxlen=0)
        new = len(self.ids) - before
        if new < len(ids):
            fresh = set(islice(reversed(self.ids), new))  # a dict keeps the order in which its keys came
            return [self._add_one(custom_id, result, fresh) for custom_id, result in zip(ids, results, strict=True)]
        if self._passed is not None:
            self._passed.update(ids)
        if bare:  # what is sniffed is mostly one object, many times: a third of the time
            self.types[first.type] += len(ids)
        else:
            self._count(types, results)
        return None

    def _add_one(self, custom_id: str, result: HeadResult, fresh: set[str]) -> bool:
        """Count one of several records, of which only the first with an id that is `fresh` is new."""
        new = custom_id in fresh
        if not new if self._passed is None else custom_id in self._passed:
            self.duplicates += 1
            if len(self.duplicate_ids) < NAMED:
                self.duplicate_ids.append(custom_id)
        if self._passed is not None:
            self._passed.add(custom_id)
        if new:
            fresh.remove(custom_id)
            self._count([intern(result.type)], [result])
        return new

    def _count(self, types: list[str], results: list[HeadResult]) -> None:
        self.types.update(types)
        messages = [result.message for result in results if result.message is not None]
        spent = [(message.model, message.usage) for message in messages if message.usage is not None]
        if spent:
            self._add_usage(spent)
        if len(messages) < len(results):
            errors = [result.error.error for result in results if result.message is None and result.error is not None]
            told = [error for error in errors if error is not None]
            self.errors.update(error.type for error in told)
            for error in told:
                self._count_message(f"{error.type}: {error.message}"[:MESSAGE_LENGTH])

    def _count_message(self, message: str) -> None:
        """Count what the API said; messages that differ from request to request are not kept without end."""
        if message in self.messages or len(self.messages) < NAMED:
            self.messages[message] += 1

    def _add_usage(self, spent: list[tuple[str, HeadUsage]]) -> None:
        models, usages = zip(*spent, strict=True)
        columns = _columns(usages)
        if len(set(models)) == 1 and _all_plain(columns):
            self.usage.setdefault(models[0], Tokens()).add_columns(columns)
            return
        by_rate: dict[str, list[HeadUsage]] = {}
        for model, usage in spent:
            by_rate.setdefault(rate(model, usage), []).append(usage)
        for name, together in by_rate.items():
            self.usage.setdefault(name, Tokens()).add_columns(_columns(together))

    def remember(self, ids: Mapping[str, str]) -> None:
        """Take in records of which only the custom_id and the type are known."""
        self.ids.update(ids)
        self.types.update(ids.values())

    def strangers(self, held: Tally, *, whole: bool) -> list[str]:
        """The custom_ids of those `held` that cannot be of this batch: they have another type here, or are not here.

        Args:
            held: what a sink says it has of the batch.
            whole: every record of the batch was counted here, so what is not here is not of it.
        """
        return [
            custom_id for custom_id, kind in held.ids.items() if self.ids.get(custom_id, "" if whole else kind) != kind
        ]

    def types_with(self, held: Tally) -> Counter[str]:
        """Records by type, of those counted here and those `held`, each custom_id once."""
        types = self.types + held.types
        types.subtract(held.ids[custom_id] for custom_id in held.ids.keys() & self.ids.keys())
        return +types


class Verdict(msgspec.Struct, frozen=True):
    """Whether the records that came prove a batch complete."""

    expected: int  # distinct custom_ids that must come
    received: int  # distinct custom_ids that came
    missing: dict[str, int]  # by type: how many fewer came than the counts say
    surplus: dict[str, int]  # by type: how many more came
    unknown: int  # records of types not known here, for which there is no count
    counted: bool = True  # the server gave counts; without them nothing is proved

    @property
    def complete(self) -> bool:
        """Every count is met; a record of an unknown type may stand for one missing from a known type."""
        return self.counted and not self.surplus and sum(self.missing.values()) <= self.unknown

    def __str__(self) -> str:
        if not self.counted:
            return f"got {self.received:,} records, but the server gives no request_counts that say whether that is all"
        if self.complete:
            return f"all {self.received:,} records"
        differences = [f"{n:,} {name} missing" for name, n in self.missing.items()]
        differences += [f"{n:,} {name} too many" for name, n in self.surplus.items()]
        return f"got {self.received:,} of {self.expected:,} records ({', '.join(differences)})"


def verify(
    counts: RequestCounts | None, types: Mapping[str, int], only: Collection[ResultType] | None = None
) -> Verdict:
    """Hold what came, by type, against what the batch says it has; looking at the types `only`, when given.

    Without counts nothing proves the batch complete.

    >>> str(verify(RequestCounts(succeeded=3, errored=1), {"succeeded": 2, "errored": 1}))
    'got 3 of 4 records (1 succeeded missing)'
    """
    if counts is None:
        received = sum(n for name, n in types.items() if only is None or name in only)
        return Verdict(expected=0, received=received, missing={}, surplus={}, unknown=0, counted=False)
    wanted: dict[str, int] = {name: getattr(counts, name) for name in RESULT_TYPES if only is None or name in only}
    if only is not None:
        types = {name: n for name, n in types.items() if name in only}
    elif counts.processing:  # an ended batch has none; if it says so, the records cannot be all there
        wanted["processing"] = counts.processing
    differences = {name: types.get(name, 0) - n for name, n in wanted.items()}
    return Verdict(
        expected=sum(wanted.values()),
        received=sum(types.values()),
        missing={name: -n for name, n in differences.items() if n < 0},
        surplus={name: n for name, n in differences.items() if n > 0},
        unknown=sum(n for name, n in types.items() if name not in wanted),
    )
