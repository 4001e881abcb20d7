"""The guide with the shell pipeline: curl, grep, sed and a loop; and why it shows one result too few."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.guides.conftest import Ran, jq

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("curl", "sed", "jq")), reason="curl, sed or jq is not there"
)

CREATE = """
curl https://api.anthropic.com/v1/messages/batches \\
     --header "x-api-key: $ANTHROPIC_API_KEY" \\
     --header "anthropic-version: 2023-06-01" \\
     --header "content-type: application/json" \\
     --data \\
'{
    "requests": [
        {
            "custom_id": "my-first-request",
            "params": {
                "model": "claude-opus-5-5",
                "max_tokens": 1024,
                "messages": [
                    {"role": "user", "content": "Hello, world"}
                ]
            }
        },
        {
            "custom_id": "my-second-request",
            "params": {
                "model": "claude-opus-5-5",
                "max_tokens": 1024,
                "messages": [
                    {"role": "user", "content": "Hi again, friend"}
                ]
            }
        },
        {
            "custom_id": "my-third-request",
            "params": {
                "model": "claude-opus-5-5",
                "max_tokens": 1024,
                "system": [
                    {"type": "text", "text": "You analyse literary works.\\n"},
                    {"type": "text", "text": "<the whole book>", "cache_control": {"type": "ephemeral"}}
                ],
                "messages": [
                    {"role": "user", "content": "Write a summary."}
                ]
            }
        }
    ]
}'
"""

STATUS = """
curl https://api.anthropic.com/v1/messages/batches/BATCH \\
 --header "x-api-key: $ANTHROPIC_API_KEY" \\
 --header "anthropic-version: 2023-06-01" \\
 | sed -E 's/.*"id":"([^"]+)".*"processing_status":"([^"]+)".*/Batch \\1 processing status is \\2/'
"""

RESULTS = r"""#!/bin/sh
curl "https://api.anthropic.com/v1/messages/batches/BATCH" \
  --header "anthropic-version: 2023-06-01" \
  --header "x-api-key: $ANTHROPIC_API_KEY" \
  | grep -o '"results_url":[[:space:]]*"[^"]*"' \
  | cut -d'"' -f4 \
  | while read -r url; do
    curl -s "$url" \
      --header "anthropic-version: 2023-06-01" \
      --header "x-api-key: $ANTHROPIC_API_KEY" \
      | sed 's/}{/}\n{/g' \
      | while IFS= read -r line
    do
      result_type=$(echo "$line" | sed -n 's/.*"result":[[:space:]]*{[[:space:]]*"type":[[:space:]]*"\([^"]*\)".*/\1/p')
      custom_id=$(echo "$line" | sed -n 's/.*"custom_id":[[:space:]]*"\([^"]*\)".*/\1/p')
      error_type=$(echo "$line" | sed -n 's/.*"error":[[:space:]]*{[[:space:]]*"type":[[:space:]]*"\([^"]*\)".*/\1/p')

      case "$result_type" in
        "succeeded")
          echo "Success! $custom_id"
          ;;
        "errored")
          if [ "$error_type" = "invalid_request" ]; then
            # Request body must be fixed before re-sending request
            echo "Validation error: $custom_id"
          else
            # Request can be retried directly
            echo "Server error: $custom_id"
          fi
          ;;
        "expired")
          echo "Expired: $line"
          ;;
      esac
    done
  done
"""
OURS = (
    'if .result.type == "succeeded" then "Success! \\(.custom_id)" '
    'elif .result.type == "errored" then "\\(.result.error.error.type): \\(.custom_id)" '
    'else "\\(.result.type): \\(.custom_id)" end'
)
ALL = ["Success! my-first-request", "Success! my-second-request", "Success! my-third-request"]


def test_the_pipeline_runs_as_printed_and_ours_shows_the_last_record_too(
    tmp_path: Path, example: Ran, ours: Ran
) -> None:
    found = re.search(r'"id":"(msgbatch_\w+)"', example(CREATE, shell=True))
    assert found is not None
    batch_id = found[1]
    status = f"Batch {batch_id} processing status is "
    assert example(STATUS.replace("BATCH", batch_id), shell=True).startswith(status)

    results = ours("run", batch_id, "--to", "-", "--poll-interval", "0.1")
    assert sorted(jq(OURS, results).splitlines()) == ALL
    assert example(STATUS.replace("BATCH", batch_id), shell=True).strip() == f"{status}ended"

    theirs = example(RESULTS.replace("BATCH", batch_id), shell=True).splitlines()
    assert len(theirs) == 2, "the service ends the last record with no newline, and read -r drops such a line"
    assert set(theirs) < set(ALL)


def test_the_body_that_curl_sends_is_a_request_file_of_ours(tmp_path: Path, ours: Ran) -> None:
    (tmp_path / "body.json").write_text(CREATE[CREATE.index("'{") + 1 : CREATE.rindex("'")])
    assert ours("submit", "body.json", "--dry-run").startswith("3 requests in 1 batch, ")
    texts = ours("process", "body.json", "--to", "-", "--text", "--poll-interval", "0.1")
    assert jq(".custom_id", texts).split() == ["my-first-request", "my-second-request", "my-third-request"]
