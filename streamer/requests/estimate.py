"""About what a submission will take, before anything is sent."""

from __future__ import annotations

import msgspec

from streamer.requests.prompt import TEXT_BYTES_PER_TOKEN, Params, PromptSize, is_set


class Estimate(msgspec.Struct, frozen=True):
    """What a submission comes to.

    Attributes:
        requests: how many.
        bytes: of all requests as they are sent, without what is around them.
        input_tokens: by model, estimated: one for four bytes of text in system prompt, tools and messages, and for 750
            pixels of an image that is in the request. What is in `unsized` counts as none.
        output_tokens_most: by model, the sum of `max_tokens`: more cannot come.
        unsized: by model, how many images and documents there are whose size the request does not tell: those behind a
            URL or a file id, and PDFs. Where there are any, `input_tokens` is the least and not the most.

    Example:
        >>> estimate = Estimate(1, 120, {"claude-haiku-5-5": 20}, {"claude-haiku-5-5": 64})
        >>> estimate.input_tokens["claude-haiku-5-5"] + estimate.output_tokens_most["claude-haiku-5-5"]
        84
    """

    requests: int
    bytes: int
    input_tokens: dict[str, int]
    output_tokens_most: dict[str, int]
    unsized: dict[str, int] = {}


class _Sums(msgspec.Struct):
    """Of one model."""

    text_bytes: int = 0
    output_tokens_most: int = 0
    unsized: int = 0


class Estimator:
    """Adds up requests one by one."""

    def __init__(self) -> None:
        self._requests = 0
        self._bytes = 0
        self._models: dict[str, _Sums] = {}

    def add(self, params: Params, size: int) -> PromptSize:
        """One more request, of `size` bytes; about how large its prompt is."""
        prompt = PromptSize()
        for message in params.messages:
            prompt.add(message.content)
        if prompt.empty and params.messages[-1].role == "assistant":
            last = PromptSize()  # the API lets the answer that is to be continued be empty
            last.add(params.messages[-1].content)
            prompt.empty -= last.empty
        if is_set(params.system):
            empty = prompt.empty
            prompt.add(params.system)
            prompt.empty = empty  # a system prompt may be
        if params.tools:
            prompt.text_bytes += sum(len(memoryview(tool)) for tool in params.tools)
        sums = self._models.get(params.model)
        if sums is None:
            sums = self._models[params.model] = _Sums()
        sums.text_bytes += prompt.text_bytes
        sums.output_tokens_most += params.max_tokens
        sums.unsized += prompt.unsized
        self._requests += 1
        self._bytes += size
        return prompt

    def estimate(self) -> Estimate:
        """What it comes to so far."""
        return Estimate(
            requests=self._requests,
            bytes=self._bytes,
            input_tokens={model: tokens(sums.text_bytes) for model, sums in self._models.items()},
            output_tokens_most={model: sums.output_tokens_most for model, sums in self._models.items()},
            unsized={model: sums.unsized for model, sums in self._models.items() if sums.unsized},
        )


def tokens(text_bytes: int) -> int:
    """About how many tokens a text has.

    >>> tokens(4096)
    1024
    """
    return -(-text_bytes // TEXT_BYTES_PER_TOKEN)
