"""TLS of the HTTP face: its own certificate, and whether callers must show theirs."""

from __future__ import annotations

import ssl
from pathlib import Path

from uvicorn import Config

from opsmith.errors import BadInput
from opsmith.settings import Settings


def asks_callers(settings: Settings) -> bool:
    """Whether every caller must show a certificate."""
    return settings.tls_client_ca_file is not None


def serve_config(config: Config, settings: Settings) -> Config:
    """The configuration of the server with TLS as the settings want it.

    Raises `BadInput` when files are missing, belong not together or are no PEM.
    """
    cert, key, callers = settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file
    if (cert is None) != (key is None):
        raise BadInput("OPSMITH_TLS_CERT_FILE and OPSMITH_TLS_KEY_FILE belong together.")
    if cert is None or key is None:
        if callers is not None:
            raise BadInput("OPSMITH_TLS_CLIENT_CA_FILE needs OPSMITH_TLS_CERT_FILE.")
        return config
    _try(cert, key, callers)
    config.ssl_certfile, config.ssl_keyfile = str(cert), str(key)
    if callers is not None:
        config.ssl_ca_certs = str(callers)
        config.ssl_cert_reqs = ssl.CERT_REQUIRED
    return config


def _try(cert: Path, key: Path, callers: Path | None) -> None:
    """Load the files once, so that what is wrong is said in our words."""
    for path in filter(None, (cert, key, callers)):
        if not path.is_file():
            raise BadInput(f"{path}: there is no such file.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
        if callers is not None:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(callers)
    except OSError as error:
        raise BadInput(f"{cert}: no certificate with its key, or no CA beside it.") from error
