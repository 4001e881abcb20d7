"""Who may ask: the key, the version, and the workspace that goes with the key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from streamer.emulator.errors import Refusal
from streamer.emulator.settings import Settings, looks_real

VERSIONS = ("2023-06-01", "2026-10-21")

_REAL_KEY_MESSAGE = (
    "This is streamer's emulator, and the key that came looks like a real one (sk-ant-...). It was neither kept nor "
    "written anywhere. Use any other text as the key here."
)


def workspace_of(settings: Settings, headers: Mapping[str, str]) -> str:
    """The name of the workspace a request is about; never the key itself.

    Raises:
        Refusal: 401, no key, a wrong one, or one that looks real; 400, no known version.
    """
    key = headers.get("x-api-key", "").strip()
    scheme, _, bearer = headers.get("authorization", "").strip().partition(" ")
    if looks_real(key) or looks_real(bearer) or looks_real(scheme):
        raise Refusal(401, _REAL_KEY_MESSAGE)
    if not key and scheme.lower() == "bearer":
        key = bearer.strip()
    if not key:
        raise Refusal(401, "x-api-key header is required")
    if settings.key and not any(hmac.compare_digest(key.encode(), one.encode()) for one in settings.key):
        raise Refusal(401, "invalid x-api-key")
    _check_version(settings, headers.get("anthropic-version"))
    return hashlib.blake2b(key.encode(), digest_size=8).hexdigest() if settings.workspace_per_key else ""


def _check_version(settings: Settings, version: str | None) -> None:
    if version in VERSIONS or settings.missing_version_status == 200:
        return
    if version is None:
        raise Refusal(settings.missing_version_status, "anthropic-version: header is required")
    raise Refusal(
        settings.missing_version_status,
        f'anthropic-version: "{version[:40]}" is not a valid version; {" and ".join(VERSIONS)} are',
    )
