"""How a body ends: on the wire, to the byte."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.raw import Got, Truth, ask, connected, damaging, request, results, stats, until


async def test_without_faults_all_passes_as_it_is(truth: Truth) -> None:
    got = await results(truth)
    assert got.content == truth.results
    assert got.finished
    assert not got.reset
    assert got.headers["content-type"] == "application/x-jsonl"


@pytest.mark.parametrize("place", [0, 1, 777, 30_000])
async def test_fin_closes_after_exactly_that_many_bytes(truth: Truth, place: int) -> None:
    got = await results(truth, f"fin@{place}")
    assert got.content == truth.results[:place]
    assert not got.finished
    assert not got.reset


@pytest.mark.parametrize("place", [0, 1, 777, 30_000])
async def test_rst_resets_after_exactly_that_many_bytes(truth: Truth, place: int) -> None:
    got = await results(truth, f"rst@{place}")
    assert got.content == truth.results[:place]
    assert got.reset


async def test_a_share_counts_from_the_size_of_the_body(truth: Truth) -> None:
    got = await results(truth, "fin@50%")
    assert got.content == truth.results[: len(truth.results) // 2]


async def test_at_the_very_end_all_has_come_but_for_the_last_chunk(truth: Truth) -> None:
    got = await results(truth, "fin@100%")
    assert got.content == truth.results
    assert not got.finished


async def test_a_place_past_the_end_does_no_harm(truth: Truth) -> None:
    assert (await results(truth, "rst@1g")).finished


async def test_a_known_length_cut_short(truth: Truth) -> None:
    got = await results(truth, "fin@50%", "length=+0")
    assert got.headers["content-length"] == str(len(truth.results))
    assert got.body == truth.results[: len(truth.results) // 2]


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_at_head_not_even_headers_come(truth: Truth, how: str) -> None:
    got = await results(truth, f"{how}@head")
    assert got.data == b""
    assert got.reset is (how == "rst")


async def test_stall_sends_so_much_and_then_nothing_until_the_client_leaves(truth: Truth) -> None:
    async with damaging(truth.upstream, "stall@1000") as base_url:
        async with connected(base_url) as (reader, writer):
            writer.write(request(truth.path))
            await reader.readuntil(b"\r\n\r\n")
            # One chunk: its size, then the bytes, the CR LF after them, and no more.
            await reader.readuntil(b"\r\n")
            assert await reader.readexactly(1002) == truth.results[:1000] + b"\r\n"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)
            assert (await stats(base_url))["open_connections"] == 1
        await until(base_url, lambda counts: counts["open_connections"] == 0)


async def test_leaving_the_block_ends_a_connection_that_stalls(truth: Truth) -> None:
    async with damaging(truth.upstream, "stall@head") as base_url:
        asking = asyncio.create_task(ask(base_url, truth.path))
        await until(base_url, lambda counts: counts["faults"]["stall@head"] == 1)
    assert (await asking).data == b""


async def test_no_final_chunk(truth: Truth) -> None:
    got = await results(truth, "no_final_chunk")
    assert got.content == truth.results
    assert not got.finished


async def test_close_delimited_says_nothing_of_its_length(truth: Truth) -> None:
    got = await results(truth, "close_delimited")
    assert got.body == truth.results
    assert not {"content-length", "transfer-encoding"} & got.headers.keys()


async def test_close_delimited_can_be_cut_at_the_end_of_a_record(truth: Truth) -> None:
    got = await results(truth, "close_delimited@50%;at=boundary")
    assert got.body.endswith(b"\n")
    assert truth.results.startswith(got.body)
    assert len(truth.results) // 2 <= len(got.body) < len(truth.results)


async def test_close_delimited_can_be_cut_inside_a_record_for_sure(truth: Truth) -> None:
    boundary = truth.results.index(b"\n", 5000)
    for place in (boundary, boundary + 1):  # before the newline, and after it: between records
        got = await results(truth, f"close_delimited@{place};at=inside")
        assert got.body == truth.results[: boundary + 2]


@pytest.mark.parametrize("lie", [10, -10])
async def test_length_lies(truth: Truth, lie: int) -> None:
    got = await results(truth, f"length={lie:+}")
    assert got.headers["content-length"] == str(len(truth.results) + lie)
    assert got.body == truth.results


async def test_every_download_gets_further_by_a_step_and_in_the_end_all_of_it(truth: Truth) -> None:
    async with damaging(truth.upstream, "fin@25%;step=25%") as base_url:
        lengths = [len((await ask(base_url, truth.path)).content) for _ in range(5)]
    whole = len(truth.results)
    assert lengths == [whole // 4, whole // 2, whole * 3 // 4, whole, whole]


async def test_random_places_come_again_with_the_seed(truth: Truth) -> None:
    async def lengths(seed: int) -> list[int]:
        async with damaging(truth.upstream, "fin@random", seed=seed) as base_url:
            return [len((await ask(base_url, truth.path)).content) for _ in range(3)]

    first = await lengths(1)
    assert len(set(first)) == 3
    assert await lengths(1) == first
    assert await lengths(2) != first


async def test_an_endless_line_goes_on_without_a_newline(truth: Truth) -> None:
    async with damaging(truth.upstream, "endless_line@1000") as base_url, connected(base_url) as (reader, writer):
        writer.write(request(truth.path))
        content = Got(await reader.readexactly(1 << 20)).content
    assert content[:1000] == truth.results[:1000]
    assert set(content[1000:]) == {ord("a")}


async def test_slices_are_writes_of_their_own(truth: Truth) -> None:
    got = await results(truth, "slice=100")
    assert {len(chunk) for chunk in got.chunks[:-1]} == {100}
    assert got.content == truth.results
    assert got.finished


async def test_a_drip_comes_bit_by_bit_and_whole(truth: Truth) -> None:
    got = await results(truth, "drip=400000")
    assert max(len(chunk) for chunk in got.chunks) == 20_000
    assert got.content == truth.results


async def test_stale_closes_without_a_word(truth: Truth) -> None:
    async with damaging(truth.upstream, "poll:stale") as base_url, connected(base_url) as (reader, writer):
        writer.write(request(truth.poll, last=False))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"connection:" not in head
        assert truth.batch_id.encode() in await reader.read()  # to the end of the connection


async def test_a_client_that_leaves_before_the_reset_is_not_waited_for(truth: Truth) -> None:
    """It does not read, so that not all can have arrived; a FIN of its own has been seen before it goes."""
    async with damaging(truth.upstream, "bomb=2g", "rst@1m") as base_url:
        async with connected(base_url) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # the stub has only the base class
            writer.write(request(truth.path))
            writer.write_eof()
            await until(base_url, lambda counts: counts["faults"]["rst@1m"] == 1)
        await until(base_url, lambda counts: counts["open_connections"] == 0)
