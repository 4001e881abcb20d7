"""What people give for a file of requests and is none: told by its first bytes and keys, with what makes one of it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from streamer.requests.jsontext import Text

_TO_CSV = "make CSV of it: python3 -c 'import pandas, sys; pandas.read_%s(sys.argv[1]).to_csv(\"rows.csv\")' {file}"
_TO_UTF8 = "save it as UTF-8: iconv -f %s -t UTF-8 {file} > utf8.jsonl"


class _Magic(NamedTuple):
    """How files of one kind begin."""

    begin: bytes
    what: str
    remedy: str  # with {file} for its name


_MAGIC = (
    _Magic(b"\x1f\x8b", "compressed (gzip)", "unpack it first: gunzip -k {file}"),
    _Magic(b"\x28\xb5\x2f\xfd", "compressed (zstd)", "unpack it first: zstd -d {file}"),
    _Magic(b"BZh", "compressed (bzip2)", "unpack it first: bunzip2 -k {file}"),
    _Magic(b"\xfd7zXZ\x00", "compressed (xz)", "unpack it first: unxz -k {file}"),
    _Magic(b"\x04\x22\x4d\x18", "compressed (lz4)", "unpack it first: lz4 -d {file}"),
    _Magic(b"7z\xbc\xaf\x27\x1c", "compressed (7z)", "unpack it first: 7z x {file}"),
    _Magic(b"PAR1", "a Parquet file", _TO_CSV % "parquet"),
    _Magic(b"ARROW1", "an Arrow file", _TO_CSV % "feather"),
    _Magic(b"ORC", "an ORC file", _TO_CSV % "orc"),
    _Magic(b"Obj\x01", "an Avro file", "write it as CSV or as lines of JSON"),
    _Magic(b"SQLite format 3\x00", "an SQLite database", "ask it: sqlite3 -csv -header {file} 'SELECT ...' > rows.csv"),
    _Magic(b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save it as CSV UTF-8, and give a --template"),
    _Magic(b"%PDF", "a PDF", "write requests that hold it: documents go into params as base64"),
    _Magic(b"\x89PNG", "an image", "write requests that hold it: images go into params as base64"),
    _Magic(b"\xff\xd8\xff", "an image", "write requests that hold it: images go into params as base64"),
    _Magic(b"\x80\x04", "a Python pickle", "write it as lines of JSON: json.dumps"),
    _Magic(b"\x93NUMPY", "a NumPy array", "write it as lines of JSON: json.dumps"),
    _Magic(b"\x7fELF", "a program", "name a file of requests"),
    _Magic(b"version https://git-lfs", "a pointer of Git LFS and not the file itself", "fetch it: git lfs pull"),
    _Magic(b"\xff\xfe\x00\x00", "UTF-32", _TO_UTF8 % "UTF-32"),
    _Magic(b"\x00\x00\xfe\xff", "UTF-32", _TO_UTF8 % "UTF-32"),
    _Magic(b"\xff\xfe", "UTF-16", _TO_UTF8 % "UTF-16"),
    _Magic(b"\xfe\xff", "UTF-16", _TO_UTF8 % "UTF-16"),
)
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|\?xml|!--|head|body)", re.IGNORECASE)
_WITHOUT_MARK = ((re.compile(rb"(?:[\t\n\r -~]\x00){4}"), "LE"), (re.compile(rb"(?:\x00[\t\n\r -~]){4}"), "BE"))


def other_file(head: bytes, name: str) -> str:
    r"""Why a file that begins so holds no requests, and what makes requests of it; empty where it may hold some.

    >>> other_file(b"\x1f\x8b\x08\x00", "requests.jsonl.gz")
    'this is compressed (gzip); unpack it first: gunzip -k requests.jsonl.gz'
    """
    file = "FILE" if name == "stdin" else shlex.quote(name)
    for magic in _MAGIC:
        if head.startswith(magic.begin):
            return f"this is {magic.what}; {magic.remedy.replace('{file}', file)}"
    if head.startswith(b"PK\x03\x04"):
        if b"[Content_Types].xml" in head or name.lower().endswith((".xlsx", ".xlsm", ".ods")):
            return "this is a spreadsheet's workbook; save it as CSV UTF-8, and give a --template"
        return f"this is a zip archive; unpack it first: unzip {file}"
    if _MARKUP.match(head):
        return "this is a web page or XML, as a download without its login gives; name a file of requests"
    for wide, order in _WITHOUT_MARK:
        if wide.match(head):
            return f"this is UTF-16; {(_TO_UTF8 % f'UTF-16{order}').replace('{file}', file)}"
    if b"\x00" in head:
        return f"there are NUL bytes in it, which no text has; if nothing but those is wrong: tr -d '\\000' < {file}"
    return ""


class _Shape(NamedTuple):
    """How objects of one kind look."""

    fits: Callable[[dict[str, msgspec.Raw]], bool]
    what: str


_SHAPES = (
    _Shape(
        lambda given: "custom_id" in given and "body" in given,
        "a line of OpenAI's Batch API (Mistral and Groq have it too): rename body to params, leave out method and url, "
        "and see that params has max_tokens and a model of Anthropic's: jq -c '{custom_id, params: .body}'",
    ),
    _Shape(
        lambda given: "recordId" in given or "modelInput" in given,
        "a line of Amazon Bedrock's batch inference: rename recordId to custom_id and modelInput to params, leave out "
        "anthropic_version, and name the model in params: "
        "jq -c '{custom_id: .recordId, params: (.modelInput | del(.anthropic_version) + {model: \"claude-...\"})}'",
    ),
    _Shape(
        lambda given: "request" in given and not given.keys() & {"params", "messages"},
        "a line of Google's batch prediction: rename request to params, leave out anthropic_version, name the model in "
        "params, and give each line a custom_id",
    ),
    _Shape(
        lambda given: given.keys() >= {"custom_id", "result"},
        "a record of results, not a request: name the file that the requests were in",
    ),
    _Shape(
        lambda given: "nbformat" in given,
        "a Jupyter notebook, not a file of requests: write the requests to a file from it, json.dumps to a line",
    ),
    _Shape(
        lambda given: given.get("type") in (msgspec.Raw(b'"message_batch"'), msgspec.Raw(b'"message"')),
        "an answer of the API, not a request",
    ),
)
_OF_A_REQUEST = frozenset({"custom_id", "params", "model", "messages", "max_tokens", "customId", "system"})


def other_object(text: Text) -> str:
    """What an object that is no request looks like, and what to rename; empty where it looks like nothing known.

    It is asked about objects that are refused anyway, so it may take its time.
    """
    try:
        given = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return ""
    for shape in _SHAPES:
        if shape.fits(given):
            return f"this looks like {shape.what}"
    if given.keys() & _OF_A_REQUEST:
        return ""
    if lists := [key for key, value in given.items() if memoryview(value)[0] == ord("[")]:
        where = json.dumps(lists[0], ensure_ascii=True)
        return f"this is one object with an array in it: take that out: jq '.[{where}]'"
    if given:
        names = ", ".join(ascii(key) for key in list(given)[:4])
        return f"this looks like data ({names}), not like a request: say what to make of it by --template"
    return ""
