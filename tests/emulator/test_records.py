import json
import zlib
from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest

from streamer.api.types import ErrorResponse, Result
from streamer.emulator.lifecycle import Outcomes
from streamer.emulator.recordbytes import Ask
from streamer.emulator.records import ResultLines, chunks
from streamer.emulator.settings import CONTENT_KINDS, Settings


class Line(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: str
    result: Result


def counts(succeeded: int = 0, errored: int = 0, canceled: int = 0, expired: int = 0) -> Outcomes:
    return Outcomes({"succeeded": succeeded, "errored": errored, "canceled": canceled, "expired": expired})


def filled(total: int, outcomes: Outcomes, number: int = 0, **switches: object) -> bytes:
    settings = Settings(**switches)  # type: ignore[arg-type]  # any switch
    return b"".join(ResultLines(settings).filled(number, total, outcomes))


def created(asks: Iterable[Ask], outcomes: Outcomes, number: int = 0, **switches: object) -> bytes:
    settings = Settings(**switches)  # type: ignore[arg-type]  # any switch
    return b"".join(ResultLines(settings).created(number, asks, outcomes))


def lines(body: bytes) -> list[Line]:
    assert not body.endswith(b"\n")
    return [msgspec.json.decode(line, type=Line) for line in body.split(b"\n")]


def test_a_filled_batch_has_the_types_it_counts_and_no_final_newline() -> None:
    found = lines(filled(100, counts(90, 6, 3, 1)))
    assert Counter(line.result.type for line in found) == {"succeeded": 90, "errored": 6, "canceled": 3, "expired": 1}
    assert [line.custom_id for line in found] == [f"request-{position:06d}" for position in range(100)]
    answers = [line.result.message for line in found if line.result.message is not None]
    assert len({answer.id for answer in answers}) == 90


def test_filled_batches_hold_all_kinds_of_content() -> None:
    found = lines(filled(64, counts(64)))
    kinds: set[str] = set()
    stops: set[str | None] = set()
    for line in found:
        assert line.result.message is not None
        kinds.update(block.type for block in line.result.message.content)
        stops.add(line.result.message.stop_reason)
    assert kinds == {"text", "thinking", "tool_use", "server_tool_use", "web_search_tool_result"}
    assert {"end_turn", "tool_use", "refusal"} <= stops


@pytest.mark.parametrize("kind", CONTENT_KINDS)
@pytest.mark.parametrize("size", [10, 2000, 100_000, 700_000])
def test_every_kind_is_valid_at_every_size(kind: str, size: int) -> None:
    [line] = lines(filled(1, counts(1), content=f"{kind}=1", record_bytes=size))
    assert line.result.message is not None
    usage = line.result.message.usage
    assert usage.output_tokens > 0
    assert usage.service_tier == "batch"
    assert usage.cache_creation is not None
    assert usage.output_tokens_details is not None


def test_records_have_the_size_asked_for_on_average() -> None:
    body = filled(640, counts(640), record_bytes=4000, content="text=1")
    sizes = [len(line) for line in body.split(b"\n")]
    assert 3800 < sum(sizes) / len(sizes) < 4050
    assert min(sizes) < 2500 < 5500 < max(sizes)


def test_a_huge_record_comes_in_pieces_in_the_middle() -> None:
    pieces = list(ResultLines(Settings(huge_bytes=5_000_000)).filled(0, 9, counts(5, 4)))
    body = b"".join(pieces)
    assert max(map(len, pieces)) < 500_000
    sizes = [len(line) for line in body.split(b"\n")]
    assert sizes.index(max(sizes)) in (4, 5)
    assert 4_900_000 < max(sizes) <= 5_000_100
    assert len(lines(body)) == 9


def test_a_batch_that_is_all_errors_has_no_huge_record() -> None:
    assert len(filled(5, counts(errored=5), huge_bytes=5_000_000)) < 2000


def test_answers_belong_to_the_request_and_never_change() -> None:
    asks = [Ask("a", digest=1, model="claude-haiku-5-5"), Ask("b", digest=1), Ask("c", digest=2)]
    body = created(asks, counts(3))
    assert body == created(asks, counts(3))
    first, second, third = lines(body)
    assert (first.custom_id, second.custom_id, third.custom_id) == ("a", "b", "c")
    assert first.result.message is not None
    assert second.result.message is not None
    assert first.result.message.model == "claude-haiku-5-5"
    assert first.result.message.text != second.result.message.text
    assert body != created(asks, counts(3), seed=1)
    assert body != created(asks, counts(3), number=1)


def test_the_same_seed_gives_the_same_bytes_on_every_machine() -> None:
    body = created([Ask(f"r{n}", digest=n) for n in range(20)], counts(18, 2)) + filled(100, counts(90, 10))
    assert zlib.crc32(body) == GOLDEN


GOLDEN = 3572907511  # changes with the corpus or the message's shape, and then on purpose


def test_max_tokens_and_stop_sequences_end_the_answer() -> None:
    short, stopped = lines(created([Ask("a", max_tokens=50), Ask("b", stop_sequence="END")], counts(2)))
    assert short.result.message is not None
    assert stopped.result.message is not None
    assert (short.result.message.stop_reason, short.result.message.usage.output_tokens) == ("max_tokens", 50)
    assert len(short.result.message.text.encode()) <= 200
    assert (stopped.result.message.stop_reason, stopped.result.message.stop_sequence) == ("stop_sequence", "END")


def test_faulty_params_are_errored_whatever_becomes_of_the_others() -> None:
    fault = ("invalid_request_error", "max_tokens: Field required")
    wrong, canceled = lines(created([Ask("a", fault=fault), Ask("b")], counts(canceled=1)))
    assert isinstance(wrong.result.error, ErrorResponse)
    assert (wrong.result.error.error.type, wrong.result.error.error.message) == fault
    assert canceled.result.type == "canceled"


def test_an_errored_record_is_nested_as_the_api_nests_it() -> None:
    record = json.loads(created([Ask("a", fault=("api_error", "x"))], counts()))
    error = {"type": "error", "error": {"details": None, "type": "api_error", "message": "x"}, "request_id": None}
    assert record == {"custom_id": "a", "result": {"type": "errored", "error": error}}
    assert filled(1, counts(expired=1)) == b'{"custom_id":"request-000000","result":{"type":"expired"}}'


def test_text_of_a_request_cannot_break_the_record() -> None:
    mark = "\ue000"
    [line] = lines(
        created([Ask("a", model=f"claude-{mark}x", kind="tool_use", tool=f"t{mark}", stop_sequence=mark)], counts(1))
    )
    assert line.result.message is not None
    assert line.result.message.content[1].name == "t"


def test_a_batch_of_no_records_is_an_empty_body() -> None:
    assert filled(0, counts()) == b""


def test_chunks_hold_the_same_bytes() -> None:
    pieces = [b"ab", b"", b"cdefgh", b"i", b"j"]
    found = list(chunks(pieces, 4))
    assert b"".join(found) == b"abcdefghij"
    assert all(len(chunk) >= 4 for chunk in found[:-1])
