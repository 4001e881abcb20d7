"""A certificate for 127.0.0.1 of an authority of our own, for HTTPS."""

from __future__ import annotations

from pathlib import Path

import trustme


def make(directory: Path) -> tuple[Path, Path]:
    """Write the authority's certificate, and a server's with its key; returns the paths of both."""
    authority, server = directory / "authority.pem", directory / "server.pem"
    ours = trustme.CA()
    ours.cert_pem.write_to_path(str(authority))
    ours.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(server))
    return authority, server
