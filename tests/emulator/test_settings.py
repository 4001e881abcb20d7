import argparse
from dataclasses import fields, replace
from typing import Any

import pytest

from streamer.cli.commands.serve import add_switches
from streamer.emulator.settings import RECORD_TYPES, Settings, shares

# A value for every switch that is not its default.
OTHER = Settings(
    host="::1",
    port=8123,
    allow_remote=True,
    key=("one", "two"),
    workspace_per_key=True,
    literal_ids=True,
    seed=7,
    speed=2.5,
    duration=5.0,
    duration_spread=0.25,
    cancel_duration=1.0,
    retry_after=3.0,
    fill=4,
    fill_ended=5,
    fill_days=30.0,
    records=6,
    record_bytes=700,
    huge_bytes=8000,
    mix="succeeded=0.9,errored=0.1",
    content="text=1",
    results_rate=9,
    results_content_type="none",
    results_encoding="gzip",
    results_url="https://elsewhere.example",
    fault=("results:fin@50%,p=0.2", "poll:status=429;retry-after=3"),
    fault_seed=5,
    max_requests=10,
    max_body_bytes=1000,
    queue_limit=20,
    missing_version_status=200,
    forbidden_params_status=400,
    cancel_canceling_status=409,
    cancel_ended_status=409,
    delete_unended_status=409,
    results_unended_status=404,
    results_archived_status=410,
    cursor_unknown_status=404,
    cursor_both_status=200,
    before_id_order="oldest",
)


def parsed(argv: list[str]) -> Settings:
    parser = argparse.ArgumentParser()
    add_switches(parser)
    values = vars(parser.parse_args(argv))
    del values["json"], values["until_stdin_closes"]
    return Settings(**values | {"key": tuple(values["key"]), "fault": tuple(values["fault"])})


def test_the_command_line_can_say_every_setting() -> None:
    default = Settings()
    assert not [
        switch.name for switch in fields(Settings) if getattr(OTHER, switch.name) == getattr(default, switch.name)
    ]
    assert parsed(OTHER.argv()) == OTHER


def test_the_defaults_need_no_words() -> None:
    assert Settings().argv() == []
    assert parsed([]) == Settings()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host": "0.0.0.0"}, "--allow-remote"),
        ({"host": "192.168.1.5"}, "--allow-remote"),
        ({"host": "some-machine"}, "--allow-remote"),
        ({"key": ("sk-ant-" + "api03-abc",)}, "looks like a real one"),
        ({"speed": 0}, "above 0"),
        ({"duration_spread": 1.5}, "from 0 to 1"),
        ({"fill": -1}, "negative"),
        ({"mix": "succeeded=lots"}, "name=share"),
        ({"mix": "success=1"}, "names are succeeded"),
        ({"mix": "succeeded=0"}, "above 0"),
        ({"content": "text=-1"}, "0 or more"),
        ({"results_encoding": "br"}, "identity, gzip"),
        ({"before_id_order": "random"}, "newest, oldest"),
        ({"fault": ("fin@5", "finn@5")}, "no fault is called 'finn'; known faults: "),
        ({"delete_unended_status": 200}, "from 400 to 599"),
        ({"cancel_ended_status": 302}, "or 200"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        replace(Settings(), **change)
    assert "api03" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_permission(host: str) -> None:
    assert Settings(host=host).host == host


def test_shares_are_scaled_to_one() -> None:
    assert shares("errored=1, expired=3", RECORD_TYPES) == {"errored": 0.25, "expired": 0.75}
