"""Whether the prompt cache would help: which beginnings of prompts come again, and whether they are marked for it.

The cache keeps a prompt up to a block that carries `cache_control`, and reads it for a later prompt that begins with
exactly the same: tools, then system prompt, then messages, in that order
(https://docs.claude.com/en/docs/build-with-claude/prompt-caching). So each prompt is seen as a chain of parts, and of
each chain a hash tells whether it has come before. Nothing is kept but the last few thousand hashes: a beginning that
most requests share stays among them, and so does one shared by neighbours, e.g. fifty questions to each document.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec
from msgspec import Raw

from streamer.requests.estimate import tokens
from streamer.requests.jsontext import hash_of
from streamer.requests.prompt import (
    TEXT_BYTES_PER_TOKEN,
    Params,
    PromptSize,
    blocks_of,
    is_marked,
    is_set,
    is_string,
    string_bytes,
)

SHORTEST = 1024  # tokens: a shorter beginning is not cached; some models want more
REMEMBERED = 8192  # beginnings; about 1 MB
WORTH_SAYING = 0.01  # of a model's requests: what concerns fewer is not worth a sentence

_AGAIN = -1


class Advice(msgspec.Struct, frozen=True):
    """What could be had from the prompt cache and is not. All tokens are estimates.

    Attributes:
        kind: `unmarked`: prompts begin alike, and no `cache_control` says so; `differs`: there is `cache_control`, but
            what comes before it differs from request to request.
        model: the model.
        requests: how many requests are concerned.
        of: how many requests to this model there are.
        readable_tokens: input tokens that could be read from the cache instead of being paid in full, in all.
        write_tokens: input tokens that would have to be written to the cache for it, in all.
        wasted_tokens: input tokens that are written to the cache as it is, and never read.
    """

    kind: Literal["unmarked", "differs"]
    model: str
    requests: int
    of: int
    readable_tokens: int
    write_tokens: int
    wasted_tokens: int

    def __str__(self) -> str:
        who = f"{self.requests:,} of {self.of:,} requests to {self.model}"
        gain = f"about {self.readable_tokens:,} input tokens could be read from the cache"
        if self.kind == "unmarked":
            return (
                f"{who} begin like another one and carry no cache_control: with one at the end of what is alike, {gain}"
            )
        marked = f"{who} carry cache_control behind a part that no other request has, so what is written is never read"
        if self.readable_tokens:
            return f"{marked}: with it at the end of what is alike, {gain}"
        return f"{marked}: put what they have in common first and cache_control behind it, or leave it out"


class PromptPart(NamedTuple):
    """One part of a prompt."""

    hash: int
    text_bytes: int
    marked: bool  # it carries cache_control


class _Found(msgspec.Struct):
    """What there is to say about one model's requests; sizes are bytes of text."""

    requests: int = 0
    readable: int = 0
    write: int = 0
    wasted: int = 0


class _Model(msgspec.Struct):
    """What was seen of one model's requests."""

    of: int = 0
    unmarked: _Found = msgspec.field(default_factory=_Found)
    differs: _Found = msgspec.field(default_factory=_Found)


class Adviser:
    """Looks at requests one by one; memory does not grow with them."""

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}
        # Beginnings, the least recent first: _AGAIN, or for one that came once the bytes of text that its request,
        # having marked it, was counted to waste.
        self._seen: dict[int, int] = {}

    def add(self, params: Params, text_bytes: int) -> None:
        """One more request, whose prompt has about `text_bytes` bytes of text."""
        model = self._models.get(params.model)
        if model is None:
            model = self._models[params.model] = _Model()
        model.of += 1
        if text_bytes >= SHORTEST * TEXT_BYTES_PER_TOKEN:
            self._look(params, model)

    def advice(self) -> list[Advice]:
        """What there is to say, the most tokens first."""
        found_of_all = [
            Advice(
                kind=kind,
                model=name,
                requests=min(found.requests, model.of),
                of=model.of,
                readable_tokens=tokens(found.readable),
                write_tokens=tokens(found.write),
                wasted_tokens=tokens(found.wasted),
            )
            for name, model in self._models.items()
            for kind, found in _kinds(model)
            if found.requests > 1 and found.requests >= WORTH_SAYING * model.of
        ]
        return sorted(found_of_all, key=lambda one: one.readable_tokens + one.wasted_tokens, reverse=True)

    def _look(self, params: Params, model: _Model) -> None:
        alike = 0  # bytes of text of the longest beginning that came before
        again = False  # it had come again before
        marks: list[int] = []  # the beginnings that cache_control is put behind
        marked = 0  # bytes of text of the last of them
        hit = False  # one of them came before
        made_good = 0  # bytes of text that were counted as wasted with the first request that had it
        for beginning, size, ends_marked in _beginnings(params):
            before = self._seen.pop(beginning, None)
            self._seen[beginning] = 0 if before is None else _AGAIN
            if before is not None:
                alike, again = size, before == _AGAIN
            if ends_marked:
                marks.append(beginning)
                marked = size
                if before is not None:
                    hit = True
                    made_good = max(made_good, before)
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if hit:
            model.differs.requests -= 1 if made_good else 0
            model.differs.wasted -= made_good
        elif marks:
            model.differs.requests += 1
            model.differs.readable += alike
            model.differs.wasted += marked
            self._seen[marks[0]] = marked
        elif alike:
            model.unmarked.requests += 1 if again else 2  # the one that came first is one of them
            model.unmarked.readable += alike
            model.unmarked.write += 0 if again else alike


def _kinds(model: _Model) -> Iterator[tuple[Literal["unmarked", "differs"], _Found]]:
    yield "unmarked", model.unmarked
    yield "differs", model.differs


def _beginnings(params: Params) -> Iterator[tuple[int, int, bool]]:
    """The beginnings of a prompt that are long enough for the cache: hash, bytes of text, whether it ends marked."""
    chain = hash(params.model)
    size = 0
    for part in parts(params):
        chain = hash((chain, part.hash))
        size += part.text_bytes
        if size >= SHORTEST * TEXT_BYTES_PER_TOKEN:
            yield chain, size, part.marked


def parts(params: Params) -> Iterator[PromptPart]:
    """A prompt as the cache sees it: the tools, the blocks of system prompt and first message, and all the rest."""
    if params.tools:
        yield PromptPart(
            hash(tuple(map(bytes, params.tools))),
            sum(len(bytes(tool)) for tool in params.tools),
            any(map(is_marked, params.tools)),
        )
    if is_set(params.system):
        yield from _blocks(params.system)
    first, *others = params.messages
    whole = is_set(params.cache_control)  # asks for a breakpoint at the end of the prompt
    yield from _blocks(first.content, whole=whole and not others)
    chain = size = 0
    marked = whole
    for other in others:
        for part in _blocks(other.content):
            chain = hash((chain, other.role, part.hash))
            size += part.text_bytes
            marked = marked or part.marked
    if others:
        yield PromptPart(chain, size, marked)


def _blocks(content: Raw, *, whole: bool = False) -> Iterator[PromptPart]:
    """The blocks of some content; `whole` says that the last of them ends a prompt that asks for a breakpoint there."""
    if is_string(content):
        yield PromptPart(hash_of(memoryview(content)), string_bytes(content), whole)
        return
    blocks = blocks_of(content)
    for number, block in enumerate(blocks, start=1):
        marked = is_marked(block) or (whole and number == len(blocks))
        size = PromptSize()
        size.add_block(block)
        yield PromptPart(hash_of(memoryview(block)), size.text_bytes, marked)
