"""Whether a project goes on where it began: at the same API, and in the same workspace.

A batch can be seen, and its results had, in the workspace it was created in. Elsewhere every list is silent about it,
and silence would be taken for "not created". The API does not say which workspace a key is of. So the same key at the
same address is taken for the same workspace; with another key a batch is looked for that must be there.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamer.api.client import Client
from streamer.errors import ConfigurationError, NotFoundError
from streamer.submission.ledger import Ledger, Planned, State
from streamer.threads import Threads

ADDRESS, KEY, SEEN = "address", "key", "seen"  # what the ledger keeps of it
LOOKED_FOR = 3  # batches, one of which must be there: somebody may have deleted others


async def check_workspace(client: Client, ledger: Ledger, batches: Sequence[Planned], threads: Threads) -> None:
    """See that the client speaks to the workspace that the batches of a ledger are in, and remember which it is.

    Args:
        client: asks the API.
        ledger: knows where the project began.
        batches: all of the ledger's.
        threads: the thread that reads and writes the ledger.

    Raises:
        ConfigurationError: it is another one, or that cannot be told.
        StreamerError: the API does not answer.
    """
    address, key = client.address, client.key_mark
    known_address, known_key, seen = await threads.run(
        lambda: (ledger.facts(ADDRESS), ledger.facts(KEY), ledger.facts(SEEN))
    )
    if any(one.state is not State.PLANNED for one in batches):
        if known_address and address not in known_address:
            raise ConfigurationError(
                f"the batches of {ledger.directory} were created at {known_address[0]}, and this is {address}: nothing "
                f"is sent. Go on there (--base-url {known_address[0]}), or name another project directory"
            )
        if known_key and (not key or key not in known_key):
            await _look_for_one(client, ledger, batches, seen)
    await threads.run(lambda: ledger.set_fact(ADDRESS, address))
    await threads.run(lambda: ledger.set_fact(KEY, key))


async def _look_for_one(client: Client, ledger: Ledger, batches: Sequence[Planned], seen: Sequence[str]) -> None:
    """See that one of the batches that must be there is."""
    created = [one.batch_id for one in batches if one.batch_id is not None]
    ids = [*created[-1:-LOOKED_FOR:-1], *seen, *created[:1]][:LOOKED_FOR]
    for batch_id in ids:
        try:
            await client.retrieve(batch_id)
        except NotFoundError:
            continue
        return
    why = f"none of {', '.join(ids)} is there for it" if ids else "no batch is known by which that could be told"
    raise ConfigurationError(
        f"this key is not the one that the project {ledger.directory} was begun with, and seems to be of another "
        f"workspace: {why}. Nothing is sent; use a key of that workspace, or name another project directory"
    )
