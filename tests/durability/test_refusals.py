"""Answers that are errors, pages, redirects or nonsense instead of batches and results."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.api.retry import RetryPolicy
from streamer.errors import AuthenticationError, StreamerError
from streamer.faults.proxy import serving
from streamer.faults.script import Script
from streamer.report import Outcome
from tests.durability.harness import Truth, counted, through


@pytest.mark.parametrize("fault", ["status=500", "status=502", "status=503", "status=529", "status=429;retry-after=30"])
async def test_a_burst_of_errors_is_waited_out(truth: Truth, tmp_path: Path, fault: str) -> None:
    scripts = [f"{operation}:{fault},n=3" for operation in ("results", "list")]
    ran = await through(truth, tmp_path, *scripts)
    ran.assert_exact()
    assert ran.struck == 6
    assert ran.report.retries >= 3
    assert max(ran.clock.sleeps) <= 120


@pytest.mark.parametrize("wish", ["2", "1000000000", "Wed, 21 Oct 2099 07:28:00 GMT", "-1", "soon", "nan"])
async def test_whatever_retry_after_says_a_wait_is_bounded(truth: Truth, tmp_path: Path, wish: str) -> None:
    ran = await through(truth, tmp_path, f"results:status=429;retry-after={wish},n=2")
    ran.assert_exact()
    assert max(ran.clock.sleeps) <= 121


async def test_a_key_revoked_midway_ends_the_run_and_what_came_is_kept(truth: Truth, tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await through(truth, tmp_path, "fin@50%,n=1,per=batch", "any:status=401,after=4", concurrency=1)
    assert "test-key" not in str(caught.value)
    [begun] = [path for path in tmp_path.iterdir() if path.name.endswith(".part")]
    kept = begun.read_bytes()
    assert kept
    assert truth.bodies[begun.name.partition(".")[0]].startswith(kept)
    (await through(truth, tmp_path)).assert_exact()


@pytest.mark.parametrize("status", [400, 403, 404, 410])
async def test_a_batch_whose_results_are_refused_stops_no_other(truth: Truth, tmp_path: Path, status: int) -> None:
    # Each batch is asked for once; the first one for good, the API's own delays of a 404 included.
    ran = await through(truth, tmp_path, f"results:status={status},n={1 if status != 404 else 99},per=batch")
    if status == 404:
        assert len(ran.errors) == 3
    assert {batch.outcome for batch in ran.batches.values()} == {Outcome.FAILED}
    (await through(truth, tmp_path)).assert_exact()


async def test_results_that_are_there_a_little_late(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "results:status=404,n=3,per=batch")
    ran.assert_exact()


@pytest.mark.parametrize("operation", ["results", "list"])
@pytest.mark.parametrize("kind", ["html", "text", "empty", "object"])
async def test_a_page_is_never_taken_for_records(truth: Truth, tmp_path: Path, operation: str, kind: str) -> None:
    ran = await through(truth, tmp_path, f"{operation}:body={kind},n=2", rejects=str(tmp_path / "{batch_id}.rejects"))
    ran.assert_exact()
    assert ran.struck == 2


async def test_a_page_that_stays_is_told_with_its_type(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "body=html")
    assert len(ran.errors) == 3
    for error in ran.errors:
        assert "text/html" in error
        assert len(error) < 600
        assert error.isprintable()


@pytest.mark.parametrize("operation", ["results", "list"])
@pytest.mark.parametrize("status", [302, 307])
async def test_a_redirect_to_another_host_is_refused_and_the_key_stays(
    truth: Truth, tmp_path: Path, operation: str, status: int
) -> None:
    async with serving(truth.emulator.base_url, Script()) as other:
        fault = f"{operation}:redirect={other};status={status}"
        if operation == "results":
            ran = await through(truth, tmp_path, fault)
            assert len(ran.errors) == 3
        else:
            with pytest.raises(StreamerError, match="redirect"):
                await through(truth, tmp_path, fault)
        assert (await counted(other))["requests"] == {}


@pytest.mark.parametrize("fault", ["redirect=self", "refuse", "big_header", "endless_headers", "endless_body=500"])
async def test_one_bad_answer_costs_nothing_and_one_that_stays_ends_the_batch(
    truth: Truth, tmp_path: Path, fault: str
) -> None:
    stays = await through(truth, tmp_path, fault, client={"retry": RetryPolicy(attempts=2)})
    assert len(stays.errors) == 3
    assert all(len(error) < 600 and error.isprintable() for error in stays.errors)
    passes = await through(truth, tmp_path, f"{fault},n=1")
    if fault == "redirect=self":  # a loop is a mistake of the server's, not a passing trouble
        passes = await through(truth, tmp_path)
    passes.assert_exact()


async def test_connections_that_are_closed_without_a_word_are_not_seen(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "any:stale", concurrency=1)
    ran.assert_exact()
    assert {batch.downloads for batch in ran.batches.values()} == {1}


@pytest.mark.parametrize("fault", ["body=html", "body=empty", "endless_body=200", "endless_body=503", "fin@50%"])
async def test_nonsense_about_the_state_of_batches_is_asked_again(truth: Truth, tmp_path: Path, fault: str) -> None:
    ran = await through(truth, tmp_path, f"list:{fault},n=1", f"poll:{fault},n=1")
    ran.assert_exact()
    assert ran.struck >= 1
