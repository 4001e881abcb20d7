"""Records as the API sends them, of any size, and about as compressible as real ones."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from streamer.emulator.prose import PROSE

SENTENCES = 20_000  # a pool of some megabytes, far beyond the window of gzip: so text repeats as words do, not as pages
WORDS = (4, 22)  # in a sentence
ENDS = (". ", ". ", '." ', ".\n\n", "! ", ".\n- ", ": ")

_LINE = (
    b'{"custom_id":"request-%06d","result":{"type":"succeeded","message":{"model":"claude-sonnet-4-5-20250929",'
    b'"id":"msg_01%s","type":"message","role":"assistant","content":[{"type":"text","text":"%s"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":%d,"cache_creation_input_tokens":0,'
    b'"cache_read_input_tokens":%d,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},'
    b'"output_tokens":%d,"service_tier":"batch"}}}}\n'
)
_AROUND = 430  # bytes of a record that are not its text
_BYTES_A_TOKEN = 4


def records(count: int, record_bytes: int) -> Iterator[bytes]:
    """Lines of about `record_bytes` each, half to one and a half times as many; the same ones every time."""
    random = Random(count)
    pool = _pool(random)
    mean = sum(map(len, pool)) / len(pool)
    for number in range(count):
        wanted = max(0.0, record_bytes * random.uniform(0.5, 1.5) - _AROUND)
        text = b"".join(random.choices(pool, k=max(1, round(wanted / mean))))
        message_id = b"%022x" % random.getrandbits(88)
        tokens = random.randrange(50, 5_000)
        yield _LINE % (number, message_id, text, tokens, tokens // 2, len(text) // _BYTES_A_TOKEN)


def _pool(random: Random) -> list[bytes]:
    """Sentences of random words, escaped for JSON."""
    words = PROSE.replace("\n", " ").split(" ")
    return [
        msgspec.json.encode(" ".join(random.choices(words, k=random.randint(*WORDS))) + random.choice(ENDS))[1:-1]
        for _ in range(SENTENCES)
    ]
