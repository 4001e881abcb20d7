"""Answers as their text alone: one JSON object, lines of JSON, or columns with a tab between them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum

from streamer.api.types import Result
from streamer.errors import ConfigurationError
from streamer.results.record import Record, read_head

_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})  # as `@tsv` of jq does


class TextForm(Enum):
    """How texts are written; which one follows from the name of the file."""

    OBJECT = ".json"  # {"custom_id": "text", ...}
    TABS = ".tsv"  # custom_id, text; line breaks and tabs in it written as \\n and \\t
    LINES = ".jsonl"  # {"custom_id": ..., "text": ...}

    @classmethod
    def of(cls, target: str) -> TextForm:
        """The form of a file of this name, or of standard output.

        >>> TextForm.of("summaries.json"), TextForm.of("-")
        (<TextForm.OBJECT: '.json'>, <TextForm.LINES: '.jsonl'>)
        """
        return next((form for form in (cls.OBJECT, cls.TABS) if target.endswith(form.value)), cls.LINES)


def refuse_fields(target: str, fields: Sequence[str]) -> None:
    """See that fields of the requests are asked for only where there is room beside a text.

    Raises:
        ConfigurationError: there is none.
    """
    if fields and TextForm.of(target) is not TextForm.LINES:
        raise ConfigurationError(
            f"fields of the requests have no place beside the texts in {target}; name a file that ends in .jsonl, or "
            "leave them out (--fields)"
        )


def text_answer(custom_id: str, raw: bytes, form: TextForm, fields: bytes | None = None) -> bytes:
    r"""One answer as its text.

    What is no success has no text: `null` in JSON with the error beside it in lines of JSON, and in columns a third
    column with the error.

    Args:
        custom_id: the request's.
        raw: the record that answers it, as it came.
        form: how it is written.
        fields: a JSON object of fields of the request, for lines of JSON; None for nothing.

    Raises:
        RecordError: the result is not of the API's shape.

    >>> raw = b'{"custom_id":"a","result":{"type":"expired"}}'
    >>> [text_answer("a", raw, form) for form in TextForm]
    [b'"a": null', b'a\t\texpired', b'{"custom_id": "a", "text": null, "error": "expired"}']
    """
    result = Record("", custom_id, read_head(raw).result.type, raw).result
    message = result.message
    text = None if message is None else message.text
    error = "" if message is not None else _error(result)
    if form is TextForm.TABS:
        columns = [custom_id, text or "", *([error] if error else [])]
        return "\t".join(column.translate(_ESCAPED) for column in columns).encode(errors="backslashreplace")
    if form is TextForm.OBJECT:
        return f"{_json(custom_id)}: {_json(text)}".encode()
    beside = b"" if fields is None else b'"input": %b, ' % fields
    ending = f', "error": {_json(error)}' if error else ""
    return b'{"custom_id": %b, %b"text": %b%b}' % (
        _json(custom_id).encode(),
        beside,
        _json(text).encode(),
        ending.encode(),
    )


def _error(result: Result) -> str:
    return result.type if result.error is None else f"{result.error.error.type}: {result.error.error.message}"


def _json(value: str | None) -> str:
    """As people read it; escaped where half of a surrogate pair is in it, which UTF-8 has no way to write."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text
