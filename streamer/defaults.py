"""What holds unless it is chosen otherwise, for the library's options and the command line's alike.

Numbers alone and nothing imported, so that `--help` can name them at once.
"""

from __future__ import annotations

CONCURRENCY = 8  # downloads under way at once
POLL_INTERVAL = 10.0  # seconds between two questions about a batch; the API itself hinted so in 2025: retry-after: 10
RETRIES = 2  # times that requests which failed are sent again
MAX_REQUESTS = 100_000  # of one batch, https://docs.claude.com/en/docs/build-with-claude/batch-processing
MAX_BYTES = 256 * 1024 * 1024  # of one batch's body, envelope included; same page
