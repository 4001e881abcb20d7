"""The same requests under other names are never a new project by themselves: they would be paid for again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from streamer.errors import ConfigurationError
from streamer.project.options import ProcessOptions
from streamer.project.process import process
from tests.emulated import emulated
from tests.project.test_extension import FAST, answers, request, write


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / f"{name}.jsonl", request(f"{name}-1"), request(f"{name}-2")) for name in ("a", "b")]


async def test_in_another_order_by_a_link_and_from_a_growing_pattern_nothing_is_sent(
    tmp_path: Path, files: list[Path]
) -> None:
    a, b = files
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "mine.jsonl"
    link.symlink_to(a)
    copied = Path(shutil.copy(b, tmp_path / "copied.jsonl"))
    grown = write(tmp_path / "0.jsonl", request("0-1"))
    async with emulated(**FAST) as (emulator, api, clock):
        to = tmp_path / "answers.jsonl"
        await process(api, [a, b], to, clock=clock)
        for again in ([b, a], [link, b], [link], [copied], [grown, a, b]):
            with pytest.raises(ConfigurationError, match=r"already, from the project .*a\.jsonl\.streamer; nothing"):
                await process(api, again, tmp_path / "others.jsonl", clock=clock)
            assert not (again[0].with_name(again[0].name + ".streamer")).exists()
        assert emulator.stats()["batches_created"] == 1
        first = answers(to)
        project = ProcessOptions(project=tmp_path / "a.jsonl.streamer")
        report = await process(api, [b, a], to, project, clock=clock)  # named, it goes on there
        assert report.complete
        assert list(answers(to)) == ["b-1", "b-2", "a-1", "a-2"]
        assert answers(to) == first
        await process(api, [grown, a, b], to, project, clock=clock)
        assert emulator.stats()["batches_created"] == 2
        assert first.items() <= answers(to).items()


async def test_whoever_names_a_project_of_its_own_pays_again(tmp_path: Path, files: list[Path]) -> None:
    async with emulated(**FAST) as (emulator, api, clock):
        await process(api, files, tmp_path / "first.jsonl", clock=clock)
        second = ProcessOptions(project=tmp_path / "second")
        await process(api, files, tmp_path / "second.jsonl", second, clock=clock)
        assert emulator.stats()["batches_created"] == 2


async def test_a_project_under_any_name_is_found(tmp_path: Path, files: list[Path]) -> None:
    async with emulated(**FAST) as (emulator, api, clock):
        named = ProcessOptions(project=tmp_path / "mine")
        await process(api, files, tmp_path / "first.jsonl", named, clock=clock)
        with pytest.raises(ConfigurationError, match=r"from the project .*/mine; nothing is sent"):
            await process(api, files, tmp_path / "second.jsonl", clock=clock)
        assert emulator.stats()["batches_created"] == 1


async def test_other_requests_beside_it_are_nobodys_concern(tmp_path: Path, files: list[Path]) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "ledger.sqlite").write_text("no ledger")
    async with emulated(**FAST) as (emulator, api, clock):
        for file in files:
            await process(api, [file], file.with_suffix(".answers"), clock=clock)
        assert emulator.stats()["batches_created"] == 2


async def test_the_same_rows_with_another_template_are_other_requests(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item\nlamp\n")
    (tmp_path / "again.csv").write_text("item\nlamp\n")
    for name in ("sort", "classify"):
        (tmp_path / f"{name}.json").write_text(json.dumps(request("x", name + ": {item}")["params"]))
    async with emulated(**FAST) as (emulator, api, clock):
        for table, name in (("items", "sort"), ("again", "classify")):
            options = ProcessOptions(template=tmp_path / f"{name}.json")
            await process(api, [tmp_path / f"{table}.csv"], tmp_path / f"{name}.jsonl", options, clock=clock)
        assert emulator.stats()["batches_created"] == 2
