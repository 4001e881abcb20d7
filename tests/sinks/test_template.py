from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.errors import ConfigurationError
from streamer.sinks.template import PLAIN, PathTemplate, safe_name

any_id = st.text(st.characters(exclude_categories=()), max_size=200)


@given(any_id)
@example("..")
@example("../../etc/passwd")
@example("/etc/passwd")
@example("a/b")
@example("")
@example("a\0b")
@example("\ud800")
@example("x" * 129)
def test_no_batch_id_leads_out_of_the_directory(batch_id: str) -> None:
    path = PathTemplate("out/{batch_id}.jsonl").path(batch_id)
    assert path.parent == Path("out")
    assert path.resolve().parent == Path("out").resolve()
    assert "\0" not in path.name
    assert len(path.name.encode()) <= 200


@given(any_id, any_id)
@example("a/b", "a_b")
@example("a/b", "a\\b")
@example("../etc", safe_name("../etc"))
def test_different_ids_have_different_names(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(st.from_regex(PLAIN, fullmatch=True))
@example("msgbatch_013Zva2CMHLNnXjNJJKqJ2EF")
def test_an_id_of_the_usual_shape_is_its_own_name(batch_id: str) -> None:
    assert safe_name(batch_id) == batch_id


def test_the_id_may_be_in_a_directory_and_more_than_once() -> None:
    assert PathTemplate("{batch_id}/{batch_id}{{x}}.jsonl").path("b1") == Path("b1/b1{x}.jsonl")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("results.jsonl", "several batches would overwrite each other; write e.g. 'results-{batch_id}.jsonl'"),
        ("results/", "'results/{batch_id}.jsonl'"),
        ("", "'{batch_id}.jsonl'"),
        ("results/{date}.jsonl", "other than {batch_id}"),
        ("{batch_id}-{}", "other than {batch_id}"),
        ("{batch_id!r}", "other than {batch_id}"),
        ("{batch_id:>9}", "other than {batch_id}"),
        ("{batch_id.__class__}", "other than {batch_id}"),
        ("{batch_id", "cannot be read"),
        ("{batch_id}}", "cannot be read"),
        ("{batch_id}/", "names a directory"),
        ("{batch_id}\0", "NUL"),
    ],
)
def test_a_template_that_cannot_work_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        PathTemplate(text)
    assert message in str(refusal.value)
