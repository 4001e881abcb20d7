"""Content encodings: whatever way a compressed body is cut or damaged, it is never taken for a whole one."""

from __future__ import annotations

import gzip
import random
import sys
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ResultsError, TransportError
from streamer.sources import encoding

ZSTD = "compression" if sys.version_info >= (3, 14) else "backports"  # the package that holds zstd

zstd = encoding._zstd()
assert zstd is not None, "the tests need the extra `fast`"

BODY = b"".join(
    b'{"custom_id":"%d","result":{"type":"expired"}}\n' % random.Random(n).getrandbits(64) for n in range(999)
)
COMPRESS = {"gzip": gzip.compress, "zstd": zstd.compress}
COMPRESSED = {name: compress(BODY) for name, compress in COMPRESS.items()}


def decode(name: str, data: bytes, size: int = 1 << 20) -> bytes:
    decoder = encoding.decoder(name)
    assert decoder is not None
    out = [piece for start in range(0, len(data), size) for piece in decoder.feed(data[start : start + size])]
    decoder.finish()
    return b"".join(out)


@pytest.fixture(params=["isal", "zlib"])
def gzip_module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """gzip as decoded with the extra `fast` and without it."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    return str(request.param)


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.usefixtures("gzip_module")
def test_a_whole_body_in_pieces_of_any_size(name: str, size: int) -> None:
    assert decode(name, COMPRESSED[name], size) == BODY


@pytest.mark.parametrize("name", [" GZIP ", "x-gzip"])
def test_names_as_servers_write_them(name: str) -> None:
    assert decode(name, COMPRESSED["gzip"]) == BODY


@pytest.mark.parametrize("name", [None, "", "Identity"])
def test_what_is_not_encoded_needs_no_decoder(name: str | None) -> None:
    assert encoding.decoder(name) is None


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.usefixtures("gzip_module")
def test_members_and_frames_may_follow_each_other(name: str) -> None:
    compress = COMPRESS[name]
    data = b"".join(compress(BODY[start : start + 40]) for start in range(0, len(BODY), 40)) + compress(b"")
    assert decode(name, data) == decode(name, data, 11) == BODY


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.usefixtures("gzip_module")
def test_a_cut_body_is_never_a_whole_one(name: str) -> None:
    whole = COMPRESSED[name]
    for end in [*range(30), len(whole) // 2, *range(len(whole) - 12, len(whole))]:
        with pytest.raises(TransportError, match=rf"in the middle of a {name} stream, after {end:,} bytes") as caught:
            decode(name, whole[:end])
        assert caught.value.received == end


def test_a_long_cut_body_says_how_much_of_it_came() -> None:
    whole = gzip.compress(random.Random(1).randbytes(300_000))
    with pytest.raises(TransportError, match="after 250,000 bytes") as caught:
        decode("gzip", whole[:250_000], 100_000)
    assert caught.value.received == 250_000


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.parametrize("extra", [-1, 0, 1, 200])
@pytest.mark.usefixtures("gzip_module")
def test_a_body_that_just_fills_a_piece_ends_cleanly(name: str, extra: int) -> None:
    body = (BODY * 30)[: 2 * encoding.PIECE + extra]
    assert decode(name, COMPRESS[name](body)) == body


@given(st.data())
def test_no_damage_goes_unseen(data: st.DataObject) -> None:
    place = data.draw(st.integers(10, len(COMPRESSED["gzip"]) - 1))  # the first 10 bytes hold a time and such
    damaged = bytearray(COMPRESSED["gzip"])
    damaged[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(TransportError):
        decode("gzip", bytes(damaged))


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.usefixtures("gzip_module")
def test_what_is_not_compressed_is_told(name: str) -> None:
    for data in (BODY, COMPRESSED[name] + b"garbage, long enough to be seen"):
        with pytest.raises(TransportError, match=f"the {name} stream of the results is damaged"):
            decode(name, data)


@pytest.mark.parametrize("name", ["deflate", "br", "compress", "gzip, gzip", "\x1b[31m" + "x" * 500])
def test_other_encodings_are_refused_by_name(name: str) -> None:
    with pytest.raises(ResultsError, match="which was not asked for") as caught:
        encoding.decoder(name)
    assert repr(name[:40]) in str(caught.value)


def zeros(name: str, mebibytes: int) -> Iterator[bytes]:
    piece = bytes(1 << 20)
    assert zstd is not None
    packer = zlib.compressobj(wbits=31) if name == "gzip" else zstd.ZstdCompressor()
    for _ in range(mebibytes):
        yield packer.compress(piece)
    yield packer.flush()


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.usefixtures("gzip_module")
def test_a_bomb_is_neither_held_nor_followed(name: str) -> None:
    bomb = b"".join(zeros(name, 80))
    decoder = encoding.decoder(name)
    assert decoder is not None
    came = longest = 0
    tracemalloc.start()
    try:
        with pytest.raises(ResultsError, match="over 200 times as many"):
            for piece in decoder.feed(bomb):
                came += len(piece)
                longest = max(longest, len(piece))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert longest <= encoding.PIECE
    assert 64 << 20 >= came > 60 << 20
    assert peak < 16 << 20


def test_a_zstd_window_beyond_8_mb_is_refused() -> None:
    assert zstd is not None
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.compression_level: 1}
    packer = zstd.ZstdCompressor(options=options)
    data = packer.compress(BODY) + packer.flush()
    with pytest.raises(TransportError, match="damaged"):
        decode("zstd", data)


@pytest.mark.parametrize(
    ("missing", "asked"),
    [((), "zstd, gzip"), (("isal",), "zstd"), ((ZSTD,), "gzip"), (("isal", ZSTD), "identity")],
)
def test_only_what_is_decoded_fast_is_asked_for(
    missing: tuple[str, ...], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    assert encoding.accept_encoding() == asked
    if ZSTD in missing:
        with pytest.raises(ResultsError, match="zstd"):
            encoding.decoder("zstd")
