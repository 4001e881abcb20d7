"""About what a submission will take, before anything is sent."""

from __future__ import annotations

import msgspec

from streamer.requests.prompt import Params, text_bytes

TEXT_BYTES_PER_TOKEN = 4  # of English prose; code and other scripts have fewer, so this is an estimate and no more


class Estimate(msgspec.Struct, frozen=True):
    """What a submission comes to.

    Attributes:
        requests: how many.
        bytes: of all requests as they are sent, without what is around them.
        input_tokens: by model, estimated: one for four bytes of text in system prompt, tools and messages; images and
            files count as none.
        output_tokens_most: by model, the sum of `max_tokens`: more cannot come.
    """

    requests: int
    bytes: int
    input_tokens: dict[str, int]
    output_tokens_most: dict[str, int]


class _Sums(msgspec.Struct):
    """Of one model."""

    text_bytes: int = 0
    output_tokens_most: int = 0


class Estimator:
    """Adds up requests one by one."""

    def __init__(self) -> None:
        self._requests = 0
        self._bytes = 0
        self._models: dict[str, _Sums] = {}

    def add(self, params: Params, size: int) -> int:
        """One more request, of `size` bytes; about how many bytes of text its prompt has."""
        text = 0
        for message in params.messages:
            text += text_bytes(message.content)
        if params.system:
            text += text_bytes(params.system)
        if params.tools:
            text += sum(len(bytes(tool)) for tool in params.tools)
        sums = self._models.get(params.model)
        if sums is None:
            sums = self._models[params.model] = _Sums()
        sums.text_bytes += text
        sums.output_tokens_most += params.max_tokens
        self._requests += 1
        self._bytes += size
        return text

    def estimate(self) -> Estimate:
        """What it comes to so far."""
        return Estimate(
            requests=self._requests,
            bytes=self._bytes,
            input_tokens={model: tokens(sums.text_bytes) for model, sums in self._models.items()},
            output_tokens_most={model: sums.output_tokens_most for model, sums in self._models.items()},
        )


def tokens(text_bytes: int) -> int:
    """About how many tokens a text has.

    >>> tokens(4096)
    1024
    """
    return -(-text_bytes // TEXT_BYTES_PER_TOKEN)
