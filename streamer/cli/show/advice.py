"""What is worth knowing of requests before they are sent: what was left out, and what the prompt cache could do."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from streamer.cli.show.formatting import dollars
from streamer.cli.stdio import say

if TYPE_CHECKING:
    from streamer.pricing import Prices
    from streamer.requests.advice import Advice
    from streamer.requests.spool import Spool


def say_warnings(spool: Spool, prices: Prices) -> None:
    """Say what of the requests is left out, or sent as it is and may not be meant so; and which models are no more."""
    from streamer.models import Models

    models = Models.load().warnings(spool.estimate.input_tokens, datetime.now(UTC).date(), prices.models)
    for warning in [*models, *spool.notices]:
        say(f"warning: {warning}")


def say_advice(spool: Spool, prices: Prices) -> None:
    """Say what the prompt cache could do for some requests."""
    for advice in spool.advice:
        usd = worth(advice, prices)
        gain = f"; worth up to {dollars(usd)}" if usd is not None and usd > 0 else ""
        say(f"advice: {advice}{gain} (an estimate; with a ttl of 1h, and best with --warm-cache)")


def worth(advice: Advice, prices: Prices) -> Decimal | None:
    """What following the advice would save in US dollars, if every read is a hit; None where there is no price.

    Reading costs less than input does; writing, for an hour, costs more; what was written in vain, for five minutes
    at the least, need not be.
    """
    price = prices.of(advice.model)
    if price is None:
        return None
    rates = price.rates
    saved = advice.readable_tokens * (rates.input - rates.cache_read)
    spent = advice.write_tokens * (rates.cache_write_1h - rates.input)
    spared = advice.wasted_tokens * (rates.cache_write_5m - rates.input)
    return (saved - spent + spared).scaleb(-6)
