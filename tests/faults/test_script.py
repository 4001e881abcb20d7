"""The grammar, and which faults strike."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamer.faults
from streamer.faults.kinds import KINDS, usage
from streamer.faults.offset import Offset, Unit, size
from streamer.faults.script import TARGETS, Fault, Script, parse


def test_what_is_not_said() -> None:
    fault = parse("fin@1k")
    assert (fault.target, fault.name, fault.place) == ("results", "fin", Offset(Unit.BYTES, 1024))
    assert (fault.p, fault.n, fault.every, fault.after, fault.per_batch) == (1.0, None, 1, 0, False)
    assert parse("null_results_url").target == "ended"
    assert parse("poison").value == "garbage"
    assert parse("close_delimited").place is None


def test_a_date_with_a_comma_is_one_value() -> None:
    fault = parse("poll:status=429;retry-after=Wed, 21 Oct 2026 07:28:00 GMT,p=0.5,n=3")
    assert fault.param("retry-after") == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert (fault.p, fault.n) == (0.5, 3)


def test_a_url_keeps_its_signs() -> None:
    assert parse("redirect=http://user@127.0.0.1:1/a?b=1,2,n=1").value == "http://user@127.0.0.1:1/a?b=1,2"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("finn@50%", "no fault is called 'finn'; known faults: big_header, bitflip, "),
        ("", "known faults: "),
        ("result:fin@5", "no operation is called 'result'; known: results, poll"),
        ("fin", "needs a place in the body: @1000"),
        ("fin@", "'' is no place in a body"),
        ("fin@101%", "no percentage"),
        ("fin@five", "'five' is no place in a body: write 1000, 64k, 50%, random or head"),
        ("bitflip@head", "@head is for fin, rst and stall"),
        ("fin=3@5", "'=3' cannot follow the name; @PLACE can"),
        ("status", "needs a value: =CODE"),
        ("status=99", "'99' is not a status"),
        ("status=429;bad header=1", ";bad header is not known"),
        ("reorder;fast", ";fast is not known to this fault"),
        ("drop=0", "must be 1 or more"),
        ("length=10", "not a difference such as +100"),
        ("poison=arsenic", "not one of garbage, digits"),
        ("fin@5%;step=10", "a step must be of the same kind"),
        ("fin@5;at=middle", "at=boundary or at=inside"),
        ("fin@5,p=2", "p=2: p=0.05 is a chance from 0 to 1"),
        ("fin@5,p=nan", "p=nan: "),
        ("fin@5,n=-1", "n=-1: n=3 is how often"),
        ("fin@5,n", "n=: n=3 is how often"),
        ("fin@5,every=0", "every=0: every=3 is every third request"),
        ("fin@5,per=day", "per=day: per=batch"),
    ],
)
def test_what_is_wrong_is_said_with_the_fault_and_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="fault ") as raised:
        parse(text)
    assert str(raised.value).startswith(f"fault {text!r}: ")
    assert says in str(raised.value)


@given(
    st.text(max_size=40) | st.from_regex(r"([a-z]+:)?(fin|status|poison|length|drip)[=@;,a-z0-9%+-]*", fullmatch=True)
)
def test_any_text_is_a_fault_or_a_value_error_that_names_it(text: str) -> None:
    try:
        assert parse(text).text == text
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017 - either outcome is fine


@given(
    target=st.sampled_from(TARGETS),
    name=st.sampled_from(["fin", "rst", "stall"]),
    place=st.integers(0, 10**12).map(str) | st.integers(0, 100).map("{}%".format) | st.sampled_from(["head", "random"]),
    p=st.floats(0, 1),
    n=st.integers(0, 99),
    every=st.integers(1, 99),
    after=st.integers(0, 99),
)
def test_what_is_written_is_what_is_read(
    target: str, name: str, place: str, p: float, n: int, every: int, after: int
) -> None:
    fault = parse(f"{target}:{name}@{place},p={p!r},n={n},every={every},after={after},per=batch")
    assert fault == Fault(
        text=fault.text,
        target=target,
        name=name,
        place=Offset.parse(place),
        p=p,
        n=n,
        every=every,
        after=after,
        per_batch=True,
    )


@given(st.integers(0, 999), st.sampled_from(["", "k", "M", "g"]))
def test_sizes(number: int, unit: str) -> None:
    assert size(f"{number}{unit}") == number * 1024 ** ("", "k", "M", "g").index(unit)


def _names(script: Script, operation: str, batch: str = "", times: int = 1) -> list[list[str]]:
    return [[fault.name for fault in script.next(operation, batch)] for _ in range(times)]


def test_first_so_many_then_no_more() -> None:
    assert _names(Script(["fin@5,n=2"]), "results", times=4) == [["fin"], ["fin"], [], []]


def test_every_third() -> None:
    assert _names(Script(["fin@5,every=3"]), "results", times=7) == [[], [], ["fin"], [], [], ["fin"], []]


def test_not_the_first_ones() -> None:
    assert _names(Script(["poll:status=401,after=2"]), "poll", times=4) == [[], [], ["status"], ["status"]]


def test_for_all_or_for_each_batch() -> None:
    of_all, of_each = Script(["fin@5,n=1"]), Script(["fin@5,n=1,per=batch"])
    assert [_names(of_all, "results", batch) for batch in "aab"] == [[["fin"]], [[]], [[]]]
    assert [_names(of_each, "results", batch) for batch in "aab"] == [[["fin"]], [[]], [["fin"]]]


def test_operations_are_hit_as_asked() -> None:
    script = Script(["fin@5", "poll:rst@5", "any:slice=7"])
    assert _names(script, "results") == [["fin", "slice"]]
    assert _names(script, "poll") == [["rst", "slice"]]
    assert _names(script, "create") == [["slice"]]
    assert _names(script, "ended") == [[]]


def test_faults_that_contradict_each_other_do_not_meet() -> None:
    script = Script(["fin@5,every=2", "rst@5", "reorder", "drop"])
    assert _names(script, "results", times=2) == [["rst", "reorder", "drop"], ["fin", "reorder", "drop"]]
    assert script.struck() == {"fin@5,every=2": 1, "rst@5": 1, "reorder": 2, "drop": 2}


def test_a_step_moves_the_place_until_it_is_past_the_end() -> None:
    script = Script(["fin@5%;step=5%"])
    places = [fault.place.at(1000) for _ in range(30) for fault in script.next("results", "a") if fault.place]
    assert places == list(range(50, 1000, 50))
    assert [fault.place.at(1000) for fault in script.next("results", "b") if fault.place] == [50]


@given(seed=st.integers(), order=st.permutations(["a"] * 5 + ["b"] * 5 + ["c"] * 5))
def test_draws_depend_on_the_seed_and_the_batch_and_not_on_how_batches_mix(seed: int, order: list[str]) -> None:
    faults = ["fin@random,p=0.5", "reorder,p=0.3"]
    mixed, sorted_ = Script(faults, seed), Script(faults, seed)
    drawn = [(batch, mixed.next("results", batch)) for batch in order]
    again = [(batch, sorted_.next("results", batch)) for batch in sorted(order)]
    assert sorted(drawn, key=lambda pair: pair[0]) == again


def test_chances_are_kept() -> None:
    struck = Counter(len(Script(["fin@5,p=0.2"], seed).next("results")) for seed in range(1000))
    assert 150 < struck[1] < 250
    assert _names(Script(["fin@5,p=0"]), "results", times=100) == [[]] * 100
    assert _names(Script(["fin@5,p=1"]), "results", times=100) == [["fin"]] * 100


def test_the_readme_tells_of_every_fault() -> None:
    readme = (Path(streamer.faults.__file__).parent / "README.md").read_text()
    for name in KINDS:
        assert f"| `{usage(name)}` |" in readme
