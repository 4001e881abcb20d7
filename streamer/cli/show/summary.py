"""What a run did, in a few lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streamer.api.masking import escaped
from streamer.cli.show.formatting import by_type, dollars, plural, size, span
from streamer.pricing import Cost, CostLine, Prices
from streamer.report import BatchReport, Outcome, ProcessReport, RunReport

NAMED = 3  # custom_ids in a sentence
_UNFINISHED = (Outcome.STREAMING, Outcome.WAITING)


def summary(report: RunReport, targets: Sequence[str], prices: Prices) -> list[str]:
    """A run in a few lines.

    Args:
        report: of the run.
        targets: where the records went, as the user named it.
        prices: what tokens cost.
    """
    outcomes = Counter(batch.outcome for batch in report.batches)
    delivered = outcomes[Outcome.DELIVERED] + outcomes[Outcome.ALREADY_DELIVERED]
    line = f"{delivered:,} of {plural(len(report.batches), 'batch')} delivered"
    if earlier := outcomes[Outcome.ALREADY_DELIVERED]:
        line += f" ({earlier:,} by an earlier run)"
    for outcome in (Outcome.INCOMPLETE, Outcome.FAILED, Outcome.STREAMING, Outcome.WAITING):
        if outcomes[outcome]:
            line += f", {outcomes[outcome]:,} {'still ' * (outcome in _UNFINISHED)}{outcome}"
    lines = [line]
    types = by_type(report.records)
    lines.append(f"{plural(sum(report.records.values()), 'record')}{f' ({types})' if types else ''}")
    if report.missing:
        lines.insert(0, unanswered(report.missing, report.missing_ids))
    lines += _spent(prices.price(report.usage), only_new=bool(earlier))
    lines.append(
        f"{size(report.bytes)} of results in {span(report.seconds)}, {plural(report.requests, 'request')}, "
        f"{plural(report.retries, 'retry')}"
    )
    lines += [f"records are in {target}" for target in targets if target != "-" and delivered]
    return lines


def process_summary(report: ProcessReport, prices: Prices) -> list[str]:
    """What became of requests, in a few lines; what is left to do comes first."""
    lines = []
    if report.missing:
        lines.append(unanswered(report.missing, report.missing_ids))
    if report.retryable:
        lines.append(
            f"{plural(report.retryable, 'request')} failed in {plural(report.attempts, 'attempt')} and can go again: "
            f"run the same with --retry {report.attempts}"
        )
    if report.unknown:
        lines.append(left_out(report.unknown))
    answers = plural(sum(report.answers.values()), "answer")
    lines.append(f"{answers} in {report.to} ({by_type(report.answers)})" if report.answers else "no answers")
    if report.errors:
        lines.append(f"errors: {by_type(report.errors)}")
    if report.sent_again:
        further = plural(report.attempts - 1, "further attempt")
        lines.append(f"{plural(report.sent_again, 'request')} sent again, in {further}")
    lines += _spent(prices.price(report.usage), only_new=False)
    received = sum(batch.bytes for batch in report.batches)
    lines.append(
        f"{size(received)} of results in {span(report.seconds)}, {plural(report.http_requests, 'request')}, "
        f"{plural(report.http_retries, 'retry')}"
    )
    return lines


def unanswered(missing: int, ids: Sequence[str]) -> str:
    """How many requests have no answer, and the first of them by their custom_ids."""
    named = ", ".join(map(escaped, ids[:NAMED])) + (", ..." if missing > NAMED else "")
    return f"{plural(missing, 'request')} without an answer: {named}"


def left_out(unknown: int) -> str:
    """How many records answer none of the requests."""
    return f"{plural(unknown, 'record')} left out, of requests that are not in these files"


def _spent(cost: Cost, *, only_new: bool) -> list[str]:
    """Tokens and cost by model, and the total."""
    lines = []
    for line in cost.lines:
        tokens = line.tokens
        read, written = tokens.cache_read, tokens.cache_write_5m + tokens.cache_write_1h
        cached = f"{read:,} read from and {written:,} written to the cache, " if read or written else ""
        searched = f", {plural(tokens.web_searches, 'web search')}" if tokens.web_searches else ""
        lines.append(
            f"{line.model}: {tokens.input:,} input tokens, {cached}{tokens.output:,} output tokens{searched}, "
            f"{price_of(line)}"
        )
    if lines:
        lines.append(
            f"cost of the records that came in this run: {total(cost)}" if only_new else f"cost: {total(cost)}"
        )
    return lines


def price_of(line: CostLine) -> str:
    """What one model cost, for people."""
    return "no price" if line.usd is None else dollars(line.usd)


def total(cost: Cost) -> str:
    """What all of it cost, and what that leaves out, for people."""
    if not cost.unpriced:
        return f"{dollars(cost.usd)} at batch price"
    without = f"{plural(len(cost.unpriced), 'model')} with no price ({', '.join(cost.unpriced)}; --prices gives one)"
    return f"{dollars(cost.usd)} at batch price, without {without}"


def trouble(report: BatchReport) -> str | None:
    """Why a batch is not delivered, in one sentence that begins with its id; None when it is."""
    return None if report.complete else f"{report.batch_id} {report.outcome}: {report.error}"
