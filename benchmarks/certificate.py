"""A certificate for 127.0.0.1 of our own making, for HTTPS; by the openssl command, which needs no package."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make(directory: Path) -> tuple[Path, Path]:
    """Write a certificate that vouches for itself, and the same with its key; returns the paths of both."""
    certificate, key, both = (directory / name for name in ("authority.pem", "key.pem", "server.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "30", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(certificate.read_text() + key.read_text())
    return certificate, both
