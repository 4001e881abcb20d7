"""Fuzz framing and record parsing with atheris: `python -m tests.fuzz --minutes 10 [--corpus DIR]`.

Needs `pip install atheris` (Linux, x86-64). It begins with records of every shape; it ends with the number of runs, or
with the input that broke an invariant.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

SEEDS = [
    rb'{"custom_id":"a","result":{"type":"expired"}}',
    b'{"custom_id":"a","result":{"type":"canceled"}}\r\n\r\n{"custom_id":"b","result":{"type":"expired"}}\n',
    b'\xef\xbb\xbf{"custom_id":"a","result":{"type":"expired"}}\n',
    rb'{"custom_id":"a","result":{"type":"succeeded","message":{"content":[{"type":"t","text":"\" }{ \u00e9"}]}}}',
    rb'{"custom_id":"a","result":{"type":"succeeded","message":{"usage":{"input_tokens":1,"cache_creation":{}}}}}',
    rb'{"custom_id":"a","result":{"type":"errored","error":{"error":{"type":"api_error"}}}}{"result":{"type":"expired"}}',
    rb'{"id":"msgbatch_1","processing_status":"ended","created_at":"2025-01-12T05:59:14.154311+00:00"}',
    rb'{"data":[],"has_more":false,"first_id":null,"last_id":null}',
    rb'{"custom_id":"a","result":{"type":"succeeded","message":{"usage":{"input_tokens":1e400,"x":[[[[1]]]]}}}}',
]
DICTIONARY = [
    b"custom_id",
    b"result",
    b"type",
    b"message",
    b"usage",
    b"}{",
    b"\\\\",
    b'\\"',
    b"\\ud800",
    b"NaN",
    b"\r\n",
]


def as_escapes(word: bytes) -> str:
    """A word in the notation of libFuzzer's dictionaries."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def main() -> None:
    """Fuzz for so many minutes."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--corpus", metavar="DIR", help="keep what was found there, and begin with it")
    args = parser.parse_args()

    import atheris  # for fuzzing only, and not to be had everywhere

    with atheris.instrument_imports(include=["streamer", "ijson"]):
        from tests.fuzz.invariants import check

    def run(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        max_record_bytes = provider.PickValueInList([1, 7, 60, 500, 1 << 20])
        cuts = [provider.ConsumeIntInRange(0, 5000) for _ in range(provider.ConsumeIntInRange(0, 6))]
        check(provider.ConsumeBytes(sys.maxsize), cuts, max_record_bytes)

    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(args.corpus or folder)
        corpus.mkdir(exist_ok=True)
        for n, seed in enumerate(SEEDS):
            (corpus / f"seed-{n}").write_bytes(seed)
        words = Path(folder) / "words.dict"
        words.write_text("".join(f'"{as_escapes(word)}"\n' for word in DICTIONARY))
        limits = [f"-max_total_time={int(args.minutes * 60)}", "-max_len=20000", "-timeout=30", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], *limits, f"-dict={words}", str(corpus)], run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
