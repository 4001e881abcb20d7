"""About what a submission will take, before anything is sent."""

from __future__ import annotations

from collections import Counter

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


class Estimator:
    """Adds up requests one by one."""

    def __init__(self) -> None:
        self._requests = 0
        self._bytes = 0
        self._text_bytes: Counter[str] = Counter()
        self._most: Counter[str] = Counter()

    def add(self, params: Params, size: int) -> int:
        """One more request, of `size` bytes; about how many bytes of text its prompt has."""
        text = text_bytes(params.system)
        for message in params.messages:
            text += text_bytes(message.content)
        if params.tools:
            text += sum(len(bytes(tool)) for tool in params.tools)
        self._requests += 1
        self._bytes += size
        self._text_bytes[params.model] += text
        self._most[params.model] += params.max_tokens
        return text

    def estimate(self) -> Estimate:
        """What it comes to so far."""
        return Estimate(
            requests=self._requests,
            bytes=self._bytes,
            input_tokens={model: tokens(size) for model, size in self._text_bytes.items()},
            output_tokens_most=dict(self._most),
        )


def tokens(text_bytes: int) -> int:
    """About how many tokens a text has.

    >>> tokens(4096)
    1024
    """
    return -(-text_bytes // TEXT_BYTES_PER_TOKEN)
