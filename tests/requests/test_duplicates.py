"""Custom_ids used more than once are found, and no others, however many there are."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.requests import duplicates, locations
from streamer.requests.duplicates import IdHashes, repeats
from streamer.requests.locations import Location, Locations

IDS = st.lists(st.integers(0, 60).map(str), max_size=80)


def expected(custom_ids: list[str]) -> list[tuple[str, int, int]]:
    return [(one, custom_ids.index(one), at) for at, one in enumerate(custom_ids) if custom_ids.index(one) != at]


@pytest.mark.parametrize("run", [3, 1000])
@given(IDS)
def test_an_id_used_again_is_found_with_both_places(run: int, custom_ids: list[str]) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryDirectory() as directory,
        IdHashes(Path(directory)) as hashes,
        Locations(Path(directory)) as kept,
    ):
        patch.setattr(duplicates, "RUN", run)
        patch.setattr(locations, "_RUN", 3 * run)
        for at, custom_id in enumerate(custom_ids):
            hashes.add(custom_id)
            kept.add(Location("a", at))
        suspects, more = hashes.suspects()
        found = [
            (one.custom_id, one.first.line, one.again.line)
            for one in repeats(zip(custom_ids, kept, strict=True), suspects)
        ]
        assert not list(Path(directory).iterdir()), "a temporary file has a name"
    assert found == expected(custom_ids)
    assert not more


def test_ids_of_equal_hash_are_not_taken_for_the_same() -> None:
    uses = [("a", Location("f", 1)), ("b", Location("f", 2)), ("a", Location("f", 3))]
    suspects = frozenset({hash("a"), hash("b")})
    assert [one.custom_id for one in repeats(uses, suspects)] == ["a"]


def test_of_very_many_repeated_ids_only_some_are_held(tmp_path: Path) -> None:
    with IdHashes(tmp_path) as hashes:
        for number in range(100):
            hashes.add(str(number // 2))
        suspects, more = hashes.suspects(most=20)
    assert (len(suspects), more) == (20, True)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.none() | st.integers(1, 9)), max_size=50))
def test_places_come_back_in_order(given_places: list[tuple[str, int, int | None]]) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryDirectory() as directory,
        Locations(Path(directory)) as kept,
    ):
        patch.setattr(locations, "_RUN", 12)
        for place in given_places:
            kept.add(Location(*place))
        assert list(kept) == [Location(*place) for place in given_places]
        assert list(kept) == [Location(*place) for place in given_places], "they can be read again"
