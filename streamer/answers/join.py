"""Answers in the order of the requests, each once, with chosen fields of the request beside it if that is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from streamer.answers.asked import Asked
from streamer.answers.fields import Fields
from streamer.answers.index import Answer, Index
from streamer.answers.output import Output
from streamer.answers.recordfiles import RecordFiles
from streamer.answers.sentagain import MISSING
from streamer.answers.text import TextForm, text_answer
from streamer.errors import StorageError

NAMED = 100  # custom_ids that are named; the others are counted


class Joined(msgspec.Struct, kw_only=True):
    """What joining came to."""

    requests: int = 0
    types: dict[str, int] = {}  # answers by type
    words: dict[str, int] = {}  # the same with errored ones by the type of the error, and those missing
    missing: int = 0  # requests that no record answers; they are not in the output
    missing_ids: list[str] = []  # the first 100 of those
    unknown: int = 0  # records of custom_ids that no request has


def join(
    requests: Iterable[Asked],
    index: Index,
    output: Output,
    *,
    fields: Fields | None = None,
    text: TextForm | None = None,
) -> Joined:
    """Write the answer to each request, in the order of the requests, and make the output final.

    An answer is its record as it came, byte for byte: `{"custom_id":...,"result":{...}}`. With fields it is the same
    with those put in: `{"custom_id":...,"input":{...},"result":{...}}`.

    Args:
        requests: what was asked, in order.
        index: where the answers are; settled.
        output: where they go.
        fields: what to put beside each answer; None for nothing.
        text: write the text of each answer alone, in this form; one answer at a time is then held whole.

    Raises:
        RecordError: with `text`, a result is not of the API's shape.
        StorageError: something cannot be read or written; or answers are missing, and a file is there that holds more
            than there is: it may be all that is left of them, and stays.
    """
    types: Counter[str] = Counter()
    words: Counter[str] = Counter()
    missing_ids: list[str] = []
    with RecordFiles() as records:
        for asked in requests:
            answer = index.get(asked.custom_id)
            if answer is None:
                words[MISSING] += 1
                if len(missing_ids) < NAMED:
                    missing_ids.append(asked.custom_id)
                continue
            types[answer.type] += 1
            words[answer.word] += 1
            output.begin()
            if text is not None:
                beside = None if fields is None else fields.of(asked)
                output.write(text_answer(asked.custom_id, records.record(answer), text, beside))
                continue
            pieces = records.pieces(answer)
            if fields is not None:
                output.write(_beside(asked.custom_id, _begin(pieces, answer), fields.of(asked)))
            for piece in pieces:
                output.write(piece)
    if words[MISSING] and output.shrinks:
        raise StorageError(
            f"{output.target} is left as it is, for it holds more than can be written now: requests without an answer: "
            f"{words[MISSING]:,}, the first one {missing_ids[0]!r}; name another file for the answers to the others"
        )
    output.publish()
    return Joined(
        requests=words.total(),
        types=dict(types),
        words=dict(words),
        missing=words[MISSING],
        missing_ids=missing_ids,
        unknown=len(index) - types.total(),
    )


def _begin(pieces: Iterator[bytes], answer: Answer) -> bytes:
    """The first piece of a record that is more than white space.

    Raises:
        StorageError: no record is there any more.
    """
    for piece in pieces:
        if piece.lstrip().startswith(b"{"):
            return piece
        if piece.strip():
            break
    raise StorageError(f"{answer.path} was changed while it was being read; run the same again")


def _beside(custom_id: str, begin: bytes, fields: bytes) -> bytes:
    """The beginning of a record with fields put in: after its custom_id, where that comes first, as it always does.

    >>> _beside("a", b'{"custom_id":"a","result":{', b'{"title":"x"}')
    b'{"custom_id":"a","input":{"title":"x"},"result":{'
    """
    usual = b'{"custom_id":"%b",' % custom_id.encode()
    at = len(usual) if begin.startswith(usual) else begin.index(b"{") + 1  # white space may come before it
    return b'%b"input":%b,%b' % (begin[:at], fields, begin[at:])
