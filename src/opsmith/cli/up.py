"""`opsmith up`: watch beside an existing Prometheus and Alertmanager."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from opsmith.errors import AskError

# How long a thread that computes is let alone while the one that answers waits; Python's own 5 ms
# are taken several times in an answer.
TURN_S = 0.001


@click.command()
@click.option("--prometheus", metavar="URL", help="The Prometheus-compatible server to ask.")
@click.option("--alertmanager", metavar="URL", help="The Alertmanager to reconcile with.")
@click.option("--listen", metavar="HOST:PORT", help="Where to answer; 127.0.0.1:8417 if unset.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the state is kept.")
def up(
    prometheus: str | None, alertmanager: str | None, listen: str | None, data_dir: Path | None
) -> None:
    """Watch: take alerts, find their causes, show them on a page and over HTTP.

    Point a webhook_configs receiver of Alertmanager at http://HOST:PORT/webhook/alertmanager.
    Other than on loopback it answers only those who show OPSMITH_KEY, or a certificate that
    OPSMITH_TLS_CLIENT_CA_FILE vouches for.
    """
    import gc
    import sys
    from importlib.metadata import version

    gc.disable()  # until `stay_small`: what modules make as they load stays
    import uvicorn

    from opsmith import settings
    from opsmith.http import tls
    from opsmith.http.access import is_loopback
    from opsmith.http.api import create
    from opsmith.http.serving import Serving
    from opsmith.wiring.live import App
    from opsmith.wiring.memory import stay_small
    from opsmith.wiring.principals import principals_of

    known = settings.load()
    chosen = replace(
        known,
        prometheus_url=prometheus or known.prometheus_url,
        alertmanager_url=alertmanager or known.alertmanager_url,
        listen=listen or known.listen,
        data_dir=data_dir or known.data_dir,
    )
    host, port = _address(chosen.listen)
    principals = principals_of(chosen)
    if not is_loopback(host) and not (chosen.key or principals or tls.asks_callers(chosen)):
        raise _open_to_all(host)
    stay_small()
    sys.setswitchinterval(TURN_S)
    app = App(chosen, version=version("opsmith"))
    certified = tls.asks_callers(chosen)
    api = create(app, key=chosen.key, certified=certified, principals=principals)
    config = uvicorn.Config(api, host=host, port=port, log_level="warning", server_header=False)
    tls.serve_config(config, chosen)
    scheme = "https" if config.is_ssl else "http"
    click.echo(f"opsmith answers on {scheme}://{chosen.listen}", err=True)
    Serving(config, hang_up=api.state.hang_up).run()


def _open_to_all(host: str) -> AskError:
    return AskError(
        f"{host} can be reached from other machines, and callers need show nothing.",
        hint="Set OPSMITH_KEY or OPSMITH_TLS_CLIENT_CA_FILE, run `opsmith principal add`,"
        " or listen on 127.0.0.1.",
    )


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - the last port
        raise AskError(f"{listen[:80]!r} is not HOST:PORT.")
    return host.strip("[]"), int(port)
