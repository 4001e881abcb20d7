"""The guide with the thousand articles: a helper that waits, and one JSON file of summaries made in several batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from streamer.emulator.running import RunningEmulator
from tests.guides.conftest import Ran, jq

WAIT = """
import anthropic
client = anthropic.Anthropic()

batch = client.messages.batches.create(
    requests=[
        {
            "custom_id": "article-001",
            "params": {
                "model": "claude-haiku-4-5",
                "max_tokens": 256,
                "messages": [{
                    "role": "user",
                    "content": "用一句话总结：人工智能是一种..."
                }],
            },
        },
        {
            "custom_id": "article-002",
            "params": {
                "model": "claude-haiku-4-5",
                "max_tokens": 256,
                "messages": [{
                    "role": "user",
                    "content": "用一句话总结：机器学习是一种..."
                }],
            },
        },
    ]
)
print(f"批次 ID：{batch.id}")
print(f"状态：{batch.processing_status}")

import time
def wait_for_batch(batch_id: str, poll_interval: float = 0.1):
    while True:
        batch = client.messages.batches.retrieve(batch_id)
        status = batch.processing_status
        print(f"状态: {status} | "
              f"成功: {batch.request_counts.succeeded} | "
              f"失败: {batch.request_counts.errored} | "
              f"处理中: {batch.request_counts.processing}")
        if status == "ended":
            break
        time.sleep(poll_interval)
    return batch

batch = wait_for_batch(batch.id)
print("批次处理完成!")

results = {}
for result in client.messages.batches.results(batch.id):
    custom_id = result.custom_id
    if result.result.type == "succeeded":
        text = result.result.message.content[0].text
        results[custom_id] = {"status": "ok", "text": text}
    else:
        error = result.result.error
        results[custom_id] = {"status": "error", "error": str(error)}
for cid, r in results.items():
    if r["status"] == "ok":
        print(f"{cid}: {r['text'][:50]}...")
    else:
        print(f"{cid}: 失败 - {r['error']}")
"""

SUMMARISE = """
import anthropic
import json
import time
from pathlib import Path

client = anthropic.Anthropic()

articles = json.loads(Path("articles.json").read_text())
print(f"共 {len(articles)} 篇文章需要处理")

BATCH_SIZE = 300
all_batches = []
for i in range(0, len(articles), BATCH_SIZE):
    chunk = articles[i:i+BATCH_SIZE]
    batch = client.messages.batches.create(
        requests=[
            {
                "custom_id": f"article-{a['id']}",
                "params": {
                    "model": "claude-haiku-4-5",
                    "max_tokens": 200,
                    "messages": [{
                        "role": "user",
                        "content": f"用两句话概括这篇文章的核心内容:\\n{a['content'][:2000]}"
                    }],
                },
            }
            for a in chunk
        ]
    )
    all_batches.append(batch.id)
    print(f"批次 {len(all_batches)} 已提交,ID: {batch.id}")

results = {}
for batch_id in all_batches:
    while True:
        b = client.messages.batches.retrieve(batch_id)
        if b.processing_status == "ended":
            break
        time.sleep(0.1)
    for result in client.messages.batches.results(batch_id):
        if result.result.type == "succeeded":
            article_id = result.custom_id.replace("article-", "")
            results[article_id] = result.result.message.content[0].text

Path("summaries.json").write_text(json.dumps(results, ensure_ascii=False, indent=2))
print(f"完成!共处理 {len(results)} 篇,节省约 50% 成本")
"""


def articles(path: Path) -> list[dict[str, Any]]:
    made = [{"id": n, "title": f"第 {n} 篇", "content": f'内容 {n} "{{x}}"\n' * 300} for n in range(1000)]
    path.write_text(json.dumps(made, ensure_ascii=False, indent=2))
    return made


def test_the_helper_waits_and_the_results_are_printed(example: Ran) -> None:
    printed = example(WAIT).splitlines()
    assert printed[1] == "状态：in_progress"
    assert printed[-4].startswith("状态: ended | 成功: 2 | 失败: 0 | 处理中: 0")
    assert sorted(line[:13] for line in printed[-2:]) == ["article-001: ", "article-002: "]


def test_a_thousand_articles_in_batches_of_the_guide_s_size(
    tmp_path: Path, example: Ran, ours: Ran, service: RunningEmulator
) -> None:
    made = articles(tmp_path / "articles.json")
    before = service.stats()["batches_created"]
    assert "完成!共处理 1000 篇" in example(SUMMARISE)
    theirs = json.loads((tmp_path / "summaries.json").read_text())

    (tmp_path / "cut.json").write_text(jq("[.[] | .content |= .[:2000]]", (tmp_path / "articles.json").read_text()))
    template = {
        "custom_id": "{id}",
        "params": {
            "model": "claude-haiku-4-5",
            "max_tokens": 200,
            "messages": [{"role": "user", "content": "用两句话概括这篇文章的核心内容:\n{content}"}],
        },
    }
    (tmp_path / "request.json").write_text(json.dumps(template, ensure_ascii=False))
    words = ("--template", "request.json", "--to", "ours.json", "--text", "--max-requests", "300")
    ours("process", "cut.json", *words, "--poll-interval", "0.1")
    written = json.loads((tmp_path / "ours.json").read_text())
    assert list(written) == [str(one["id"]) for one in made], "in the order of the articles"
    assert written.keys() == theirs.keys()
    assert all(isinstance(text, str) for text in written.values())
    assert any(written.values())
    assert service.stats()["batches_created"] - before == 8
    sent = (tmp_path / "cut.json.streamer" / "requests.jsonl").read_text().splitlines()
    asked = json.loads(sent[7])["params"]["messages"][0]["content"]
    assert asked == f"用两句话概括这篇文章的核心内容:\n{made[7]['content'][:2000]}"
