"""Every switch of the emulator, in one place.

The command line (`streamer serve --fill 20`) and `streamer.emulator.running.running(fill=20)` are both made from
this class, so the two can never differ. Where nobody outside knows what the real service does, the default is the
likeliest behaviour and a switch makes the others testable.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, fields

from streamer.faults.script import Script

# A real key starts like this. The emulator never needs one, and a test that sends one is a mistake.
_REAL_KEY = re.compile(r"\s*sk-ant-", re.IGNORECASE)

RECORD_TYPES = ("succeeded", "errored", "canceled", "expired")
TOLERANT = ("missing_version", "forbidden_params", "cancel_canceling", "cancel_ended", "cursor_both")  # may be 200
CONTENT_KINDS = ("text", "code", "thinking", "tool_use", "server_tool", "refusal")


def looks_real(key: str) -> bool:
    """Whether a key could be a real one of the API."""
    return _REAL_KEY.match(key) is not None


def shares(text: str, names: tuple[str, ...]) -> dict[str, float]:
    """Read shares such as `succeeded=0.9,errored=0.1`; they are scaled so that they sum to 1.

    >>> shares("succeeded=3,errored=1", RECORD_TYPES)
    {'succeeded': 0.75, 'errored': 0.25}

    Raises:
        ValueError: an unknown name, a share that is no number of 0 or more, or only shares of 0.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        try:
            share = float(value)
        except ValueError:
            raise ValueError(f"{part.strip()!r} is not of the form name=share, e.g. {names[0]}=0.9") from None
        if name not in names or not 0 <= share < float("inf"):
            raise ValueError(f"{part.strip()!r}: the names are {', '.join(names)}, and a share is 0 or more")
        found[name] = share
    total = sum(found.values())
    if total == 0:
        raise ValueError(f"{text!r}: at least one share must be above 0")
    return {name: share / total for name, share in found.items()}


def _about(text: str, *choices: object) -> dict[str, object]:
    return {"help": text, "choices": choices}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the emulator is and does.

    Times are seconds of the emulator's own clock, which runs `speed` times as fast as the wall clock; sizes are
    bytes. The command line writes each name with dashes (`record_bytes`: `--record-bytes`).

    Raises:
        ValueError: values that cannot be, e.g. an address other machines can reach without `allow_remote`.
    """

    # Where it listens, and whom it answers
    host: str = field(default="127.0.0.1", metadata=_about("address to listen on"))
    port: int = field(default=0, metadata=_about("port to listen on; 0 picks a free one"))
    allow_remote: bool = field(default=False, metadata=_about("allow an address that other machines can reach"))
    key: tuple[str, ...] = field(
        default=(), metadata=_about("accept only this key (repeatable); any key will do when none is listed")
    )
    workspace_per_key: bool = field(
        default=False, metadata=_about("give each key a workspace of its own, all filled alike")
    )
    literal_ids: bool = field(
        default=False,
        metadata=_about("answer ids that are not msgbatch_... with a made-up batch (for tests with literal ids)"),
    )
    seed: int = field(default=0, metadata=_about("decides everything that is random; same seed, same answers"))

    # Time
    speed: float = field(default=1.0, metadata=_about("how many times faster than the wall clock time passes"))
    duration: float = field(default=60.0, metadata=_about("seconds a batch is in progress, on average"))
    duration_spread: float = field(
        default=0.5, metadata=_about("how far durations differ: 0.5 is from half to one and a half times")
    )
    cancel_duration: float = field(default=5.0, metadata=_about("seconds a batch is canceling"))
    retry_after: float = field(
        default=10.0, metadata=_about("retry-after of an answer about a batch in progress; 0 sends none")
    )

    # What is in the workspace at start, and what results look like
    fill: int = field(default=0, metadata=_about("batches that are in progress at start, ending one by one"))
    fill_ended: int = field(default=0, metadata=_about("older batches, ended before the start"))
    fill_days: float = field(default=14.0, metadata=_about("days over which the older batches were created"))
    records: int = field(default=100, metadata=_about("records of each batch that is there at start"))
    record_bytes: int = field(
        default=1500, metadata=_about("mean size of a succeeded record; sizes vary by half of it")
    )
    huge_bytes: int = field(
        default=0, metadata=_about("make one succeeded record in the middle of each such batch this large")
    )
    mix: str = field(default="succeeded=1", metadata=_about(f"shares of record types, of {', '.join(RECORD_TYPES)}"))
    content: str = field(
        default="text=0.45,code=0.2,thinking=0.15,tool_use=0.1,server_tool=0.07,refusal=0.03",
        metadata=_about(
            f"shares of what succeeded records hold in batches there at start, of {', '.join(CONTENT_KINDS)}"
        ),
    )

    # How results travel
    results_rate: int = field(default=0, metadata=_about("bytes a second for each results download; 0 is no limit"))
    results_content_type: str = field(
        default="application/x-jsonl", metadata=_about("content-type of results; `none` sends none, as until 2026")
    )
    results_encoding: str = field(
        default="identity",
        metadata=_about("content-encoding of results for clients that accept it", "identity", "gzip"),
    )
    results_url: str = field(
        default="absolute", metadata=_about("form of results_url: `absolute`, `relative`, or another origin to name")
    )

    # What goes wrong on the way: see streamer/faults/README.md
    fault: tuple[str, ...] = field(
        default=(), metadata=_about("damage answers, e.g. results:fin@50%,p=0.2 (repeatable)")
    )
    fault_seed: int = field(default=0, metadata=_about("decides what is random in faults"))

    # Limits of one batch
    max_requests: int = field(default=100_000, metadata=_about("requests a batch may have"))
    max_body_bytes: int = field(default=256 * 1024 * 1024, metadata=_about("size the body of a create may have"))

    queue_limit: int = field(
        default=0, metadata=_about("requests that may be in batches in progress; a create above it is a 429; 0: any")
    )

    # What nobody outside knows: the status of answers the documentation does not describe
    missing_version_status: int = field(
        default=400, metadata=_about("for a missing or unknown anthropic-version; 200 tolerates it")
    )
    forbidden_params_status: int = field(
        default=200,
        metadata=_about("create with params batches do not allow; 200 makes them errored records", 200, 400),
    )
    cancel_canceling_status: int = field(
        default=200, metadata=_about("cancel while canceling; 200 answers the batch as it is")
    )
    cancel_ended_status: int = field(
        default=400, metadata=_about("cancel after the end; 200 answers the batch as it is")
    )
    delete_unended_status: int = field(default=400, metadata=_about("delete before the end"))
    results_unended_status: int = field(default=400, metadata=_about("results before the end"))
    results_archived_status: int = field(default=404, metadata=_about("results after the 29 days"))
    cursor_unknown_status: int = field(default=400, metadata=_about("list after or before an unknown batch"))
    cursor_both_status: int = field(
        default=400, metadata=_about("list with both after_id and before_id; 200 ignores before_id")
    )
    before_id_order: str = field(
        default="newest", metadata=_about("which batch comes first on a page before before_id", "newest", "oldest")
    )

    def __post_init__(self) -> None:
        if not self.allow_remote and not _is_loopback(self.host):
            raise ValueError(
                f"{self.host} can be reached by other machines and the emulator checks no real keys: "
                "listen on 127.0.0.1, or allow it with --allow-remote"
            )
        if any(looks_real(key) for key in self.key):
            raise ValueError("a listed key looks like a real one (sk-ant-...): list a made-up one")
        if min(self.speed, self.duration, self.record_bytes, self.max_requests, self.max_body_bytes) <= 0:
            raise ValueError("speed, duration, record_bytes, max_requests and max_body_bytes must be above 0")
        if not 0 <= self.duration_spread <= 1:
            raise ValueError(f"duration_spread is {self.duration_spread}: it must be from 0 to 1")
        counts = (self.fill, self.fill_ended, self.records, self.results_rate, self.huge_bytes, self.queue_limit)
        if min(*counts, self.retry_after) < 0:
            raise ValueError(
                "fill, fill_ended, records, results_rate, retry_after, huge_bytes, queue_limit must not be negative"
            )
        shares(self.mix, RECORD_TYPES)
        shares(self.content, CONTENT_KINDS)
        Script(self.fault)  # raises for one that cannot be read
        for switch in fields(self):
            _check(switch.name, getattr(self, switch.name), switch.metadata["choices"])

    def argv(self) -> list[str]:
        """The command line that asks for these settings.

        >>> Settings(speed=100, key=("a", "b"), literal_ids=True).argv()
        ['--key=a', '--key=b', '--literal-ids', '--speed=100']
        """
        words = []
        for switch in fields(self):
            value = getattr(self, switch.name)
            flag = "--" + switch.name.replace("_", "-")
            if value == switch.default:
                continue
            if value is True:
                words.append(flag)
            elif isinstance(value, tuple):
                words.extend(f"{flag}={part}" for part in value)
            else:
                words.append(f"{flag}={value}")
        return words


def _check(name: str, value: object, choices: tuple[object, ...]) -> None:
    if choices and value not in choices:
        raise ValueError(f"{name} is {value!r}: it can be {', '.join(map(str, choices))}")
    if name.endswith("_status") and value not in range(400, 600):
        tolerant = name.removesuffix("_status") in TOLERANT
        if not (tolerant and value == 200):
            raise ValueError(f"{name} is {value!r}: it is a status from 400 to 599{', or 200' if tolerant else ''}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
