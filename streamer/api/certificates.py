"""Whom the certificates of servers may be signed by, as the environment says; there is no switch to trust everybody.

SSL_CERT_FILE and SSL_CERT_DIR are OpenSSL's own and take the place of the system's authorities. REQUESTS_CA_BUNDLE is
what companies set for the programs that ignore those; its authorities are added, so that a bundle which holds the
company's own alone hides nobody else's.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import ConfigurationError

FILE, DIRECTORY, BUNDLE = "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"
# OpenSSL's numbers for a certificate whose signer is not known (X509_V_ERR_... in its x509_vfy.h).
UNKNOWN_SIGNER = frozenset((2, 18, 19, 20, 21))


@dataclass(frozen=True, slots=True)
class Authorities:
    """The variables that say whom to believe, each with its path; none of them means the system's authorities."""

    paths: Mapping[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Authorities:
        """Those that the environment names; REQUESTS_CA_BUNDLE only where it says nothing of OpenSSL's."""
        own = {name: environ[name] for name in (FILE, DIRECTORY) if environ.get(name)}
        return cls(own or {name: environ[name] for name in (BUNDLE,) if environ.get(name)})

    def check(self) -> None:
        """See that they are there: OpenSSL would say nothing and then believe nobody.

        Raises:
            ConfigurationError: one is not.
        """
        for name, path in self.paths.items():
            # Of several directories some may be missing, as OpenSSL does not mind.
            places = path.split(":") if name == DIRECTORY else [path]
            if not any(Path(place).exists() for place in places):
                raise ConfigurationError(f"{name} names {path}, which is not there")

    def __str__(self) -> str:
        return ", ".join(f"{name} ({path})" for name, path in self.paths.items())

    def context(self) -> ssl.SSLContext | None:
        """What checks certificates so; None for the HTTP library's own context, which has the system's authorities.

        Raises:
            ConfigurationError: a file is not there, or holds no certificates.
        """
        if not self.paths:
            return None
        self.check()
        context = ssl.create_default_context()
        context.set_alpn_protocols(("http/1.1",))
        for name in (FILE, BUNDLE):
            if (path := self.paths.get(name)) is not None:
                _load(context, name, path)
        return context

    def hint(self, error: ssl.SSLCertVerificationError) -> str:
        """What would help with a certificate that was not believed; empty when nothing here would."""
        if error.verify_code not in UNKNOWN_SIGNER:
            return ""
        if self.paths:
            return f"whoever signed it is not in {self}"
        return f"if an authority of your company signed it, name that one's PEM file in {FILE}"


def _load(context: ssl.SSLContext, name: str, path: str) -> None:
    """Have a context believe whom a file names, or the files of a directory."""
    try:
        if Path(path).is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        why = "no certificate is in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(f"{name} names {path}, which cannot be used: {why}") from None
