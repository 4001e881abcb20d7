"""Nothing that a server or a record says can drive the terminal of who looks on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.api.servers import Server, batch, error, reply
from tests.cli.command import COMMAND, KEY, environment

# Clears the screen, sets the title, goes back to the line's beginning, writes from right to left, beeps, C1 escape.
TRICKS = "\x1b[2J\x1b]0;owned\x07\r\u202e\x9b31m\x08"
EVIL = f"msgbatch_{TRICKS}"
RECORDS = [
    {"custom_id": TRICKS, "result": {"type": "succeeded", "message": {"model": TRICKS, "usage": {"output_tokens": 1}}}},
    {"custom_id": "b", "result": {"type": "errored", "error": {"error": {"type": TRICKS, "message": TRICKS}}}},
    {"custom_id": "b", "result": {"type": TRICKS}},
    {"custom_id": TRICKS, "result": TRICKS},
]


def evil_batch(base_url: str, batch_id: str) -> dict[str, Any]:
    return batch(
        batch_id,
        processing_status="ended",
        type=TRICKS,
        results_url=f"{base_url}/results",
        request_counts={"succeeded": 1, "errored": 1, "processing": 0, "canceled": 0, "expired": 0},
    )


class Hostile(Server):
    """Answers every question in kind."""

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen = await self._read(reader, 0)
            writer.write(self._answer(seen.method, seen.target.partition("?")[0]))
            await writer.drain()

    def _answer(self, method: str, path: str) -> bytes:
        if path == "/results":
            body = "\n".join(map(json.dumps, RECORDS)).encode() + b"\n" + TRICKS.encode() + b"\n"
            return reply(200, body, content_type="application/x-jsonl")
        if path.endswith("/msgbatch_refused"):
            refused = error(400, kind=TRICKS, message=TRICKS, error_code=TRICKS)
            return reply(400, refused, {"request-id": TRICKS.replace("\r", "")})
        if method == "GET" and path.endswith("/batches"):
            page = [evil_batch(self.url, name) for name in (EVIL, "msgbatch_a")]
            return reply(200, {"data": page, "has_more": False, "last_id": EVIL})
        if method == "DELETE":
            return reply(200, {"id": EVIL})
        return reply(200, evil_batch(self.url, EVIL if method == "POST" else "msgbatch_a"))


COMMANDS = (
    "list -v",
    "list --json",
    "show msgbatch_a msgbatch_refused",
    "cancel --yes msgbatch_a msgbatch_refused",
    "delete --yes msgbatch_a",
    "submit requests.jsonl",
    "run msgbatch_a msgbatch_refused -v --poll-interval 0.1",
    "run --all --json -v --poll-interval 0.1 --to all/{batch_id}.jsonl",
)


def test_no_command_passes_on_what_would_drive_a_terminal(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "x"}]
    request = {"custom_id": "a", "params": {"model": "m", "max_tokens": 1, "messages": messages}}
    (tmp_path / "requests.jsonl").write_text(json.dumps(request))

    async def said(words: str, base_url: str) -> tuple[str, str, bytes]:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *words.split(),
            cwd=tmp_path,
            env=environment(base_url, KEY) | {"PYTHONIOENCODING": "utf-8"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return words, out.decode(), err

    async def all_of_them() -> list[tuple[str, str, bytes]]:
        async with Hostile([None]) as server:
            return await asyncio.gather(*(said(words, server.url) for words in COMMANDS))

    for words, out, err in asyncio.run(all_of_them()):
        harmful = {c for c in out + err.decode() if not c.isprintable() and c != "\n"}
        assert harmful == set(), words
        assert "mistake in streamer" not in err.decode(), err
        assert "owned" in out + err.decode(), words  # it was said, and made harmless
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.isprintable()]
    assert outside == []
