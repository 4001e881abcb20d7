"""Where the file of a batch is: a template, and a file name that no batch id can break out of.

Pure functions over text; nothing here touches the disk.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from string import Formatter

from streamer.disk.names import check_name
from streamer.errors import ConfigurationError

PLAIN = re.compile(r"[A-Za-z0-9_-]{1,128}")  # every id the API has given so far
FIELD = "batch_id"
USUAL_ID = "msgbatch_" + 24 * "0"  # as long as every id the API has given so far


def safe_name(batch_id: str) -> str:
    """A file name for any batch id, different for different ids.

    An id of the usual shape is its own name. Any other is spelt with what is harmless of it, `~` (which no usual id
    has) and 128 bits of its SHA-256.

    >>> safe_name("msgbatch_01Hk"), safe_name("../etc")
    ('msgbatch_01Hk', '___etc~2ad2dcf0c4bb9b45dbe5e8d1b4aa3bd6')
    """
    if PLAIN.fullmatch(batch_id):
        return batch_id
    digest = hashlib.sha256(batch_id.encode("utf-8", "surrogatepass")).hexdigest()
    return re.sub(r"[^A-Za-z0-9_-]", "_", batch_id[:64]) + "~" + digest[:32]


class PathTemplate:
    """A path with `{batch_id}` in it, e.g. `results/{batch_id}.jsonl`.

    Raises:
        ConfigurationError: it does not name one file for each batch.
    """

    def __init__(self, text: str) -> None:
        if "\0" in text:
            raise ConfigurationError(f"the file template {text!r} holds a NUL character; no file can be named so")
        try:
            fields = [field for field in Formatter().parse(text) if field[1] is not None]
        except ValueError as error:
            raise ConfigurationError(
                f"the file template {text!r} cannot be read: {error}; write braces that are meant as such twice"
            ) from error
        for _, name, spec, conversion in fields:
            if name != FIELD or spec or conversion:
                raise ConfigurationError(
                    f"the file template {text!r} has a field other than {{batch_id}}; that is the only one"
                )
        if not fields:
            place = Path(text)
            example = place.with_stem(place.stem + "-{batch_id}") if place.suffix else place / "{batch_id}.jsonl"
            raise ConfigurationError(
                f"the file template {text!r} has no {{batch_id}}, so several batches would overwrite each other; "
                f"write e.g. {str(example)!r}"
            )
        if text.endswith("/"):
            raise ConfigurationError(f"the file template {text!r} names a directory; add e.g. 'results.jsonl'")
        self._text = text
        check_name(self.path(USUAL_ID))

    def path(self, batch_id: str) -> Path:
        """The file of one batch."""
        return Path(self._text.format(batch_id=safe_name(batch_id)))

    def __str__(self) -> str:
        return self._text
