"""Settings: the only file that reads the environment and the configuration.

A variable beats the configuration file, which beats the default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from opsmith.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a user may choose. Each field is `OPSMITH_<FIELD>` in the environment.

    data_dir: where opsmith keeps its state.
    prometheus_url: base URL of a Prometheus-compatible server, None for none.
    debug: show errors with their traceback (1 for yes).
    alertmanager_url: base URL of an Alertmanager to reconcile with, None for none.
    scrape_interval_s: how far apart the samples of the metrics server are, seconds.
    listen: host and port of the HTTP face; other than loopback needs a key.
    public_url: where people reach the HTTP face, for links in notices; empty for no links.
    notify_file: YAML file of the places to notify, None for none.
    watch_file: YAML file of the series and thresholds to watch, None for the built-in ones.
    sources_file: YAML file of where telemetry comes from and as whom it is asked, None for none.
    targets_file: YAML file of what actions may reach and how, None for none.
    runbooks_file: YAML file of what to do about which fault, None for the built-in ones.
    sign_with: the algorithm that seals the ledger, ed25519 or sm2 (with SM3).
    policy_file: YAML file of the policy that judges plans, None for the built-in one.
    graph_url: bolt:// or neo4j:// address of a graph (user before an @, database as path), None
        for the embedded one.
    graph_password: password of the graph's user; empty for none.
    hot_reload_interval_ms: how often a serving process looks for another intent adapter.
    kafka_url: kafka://HOST:PORT/TOPIC of a topic of Alertmanager notifications (kafka+ssl:// for
        TLS, a user before an @), None for none.
    kafka_password: password of that user; empty for none.
    queue_url: redis://, rediss:// or unix:// address of a Valkey or Redis for tasks (a user before
        an @, the database as path), None for the one that is started in the data folder.
    queue_password: password of that server; empty for none.
    key: what callers of the HTTP face must show; empty for none.
    tls_cert_file: PEM of the HTTP face's certificate and its chain, None for plain HTTP.
    tls_key_file: PEM of the key of that certificate.
    tls_client_ca_file: PEM of who may vouch for callers; each must then show a certificate.
    principals_file: YAML file of who may come in over HTTP; principals.yaml of the data folder
        when unset.
    ledger_url: postgresql://USER@HOST:PORT/DATABASE of the ledger, None for a file in the data
        folder.
    ledger_password_file: file with the password of that user, None for what libpq finds
        (PGPASSFILE, ~/.pgpass).
    inventory_file: names that exist (services, hosts, aliases), None for what servers tell alone.
    metric_catalogue: YAML file of metrics of your own, asked before the shipped ones.
    config_repo: folder of a Git repository for `compare_config`, None for the current folder.
    llm_url: where the language model is: ollama://HOST:PORT, http(s)://HOST:PORT/v1 for any
        OpenAI-compatible server, or the path of a GGUF file; None for what `opsmith model use`
        chose, which may be none.
    llm_model: its name there; llama3:8b on Ollama, else the first that the server lists.
    llm_key: what the server wants to see as a bearer token; empty for none.
    llm_timeout_s: how long a prompt may take that states no time of its own, seconds.
    llm_at_once: prompts that the backend is given at the same time, more wait their turn; 0 for 4
        on a server and 1 on a GGUF file.
    llm_context: tokens of prompt and answer together, for Ollama (`num_ctx`) and GGUF files.
    llm_keep_alive: how long Ollama keeps the model in memory, in Ollama's form.
    llm_threads: processor threads for a GGUF file; more than free cores slow it down.
    zone: the time zone of clock times that say none, and of times in answers.
    """

    data_dir: Path
    prometheus_url: str | None = None
    debug: bool = False
    alertmanager_url: str | None = None
    scrape_interval_s: float = 15.0
    listen: str = "127.0.0.1:8417"
    public_url: str = ""
    notify_file: Path | None = None
    watch_file: Path | None = None
    sources_file: Path | None = None
    targets_file: Path | None = None
    runbooks_file: Path | None = None
    sign_with: str = "ed25519"
    policy_file: Path | None = None
    graph_url: str | None = None
    graph_password: str = field(default="", repr=False)
    hot_reload_interval_ms: float = 500.0
    kafka_url: str | None = None
    kafka_password: str = field(default="", repr=False)
    queue_url: str | None = None
    queue_password: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    tls_client_ca_file: Path | None = None
    principals_file: Path | None = None
    ledger_url: str | None = None
    ledger_password_file: Path | None = None
    inventory_file: Path | None = None
    metric_catalogue: Path | None = None
    config_repo: Path | None = None
    llm_url: str | None = None
    llm_model: str = ""
    llm_key: str = field(default="", repr=False)
    llm_timeout_s: float = 120.0
    llm_at_once: int = 0
    llm_context: int = 8192
    llm_keep_alive: str = "10m"
    llm_threads: int = 1
    zone: str = "UTC"


def wants_debug(environ: Mapping[str, str] | None = None) -> bool:
    """Whether errors are shown with their traceback; read on its own, so that it never fails."""
    source = os.environ if environ is None else environ
    return source.get("OPSMITH_DEBUG", "") not in {"", "0"}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. `environ` stands in for the process environment in tests."""
    source = os.environ if environ is None else environ
    home = Path(source.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    known = Settings(
        data_dir=Path(source.get("OPSMITH_DATA_DIR") or home / "opsmith"),
        prometheus_url=source.get("OPSMITH_PROMETHEUS_URL") or None,
        debug=wants_debug(source),
        alertmanager_url=source.get("OPSMITH_ALERTMANAGER_URL") or None,
        scrape_interval_s=_number(source, "OPSMITH_SCRAPE_INTERVAL_S", 15.0),
        listen=source.get("OPSMITH_LISTEN") or "127.0.0.1:8417",
        public_url=source.get("OPSMITH_PUBLIC_URL", "").rstrip("/"),
        notify_file=_path(source, "OPSMITH_NOTIFY_FILE"),
        watch_file=_path(source, "OPSMITH_WATCH_FILE"),
        sources_file=_path(source, "OPSMITH_SOURCES_FILE"),
        targets_file=_path(source, "OPSMITH_TARGETS_FILE"),
        runbooks_file=_path(source, "OPSMITH_RUNBOOKS_FILE"),
        sign_with=source.get("OPSMITH_SIGN_WITH") or "ed25519",
        policy_file=_path(source, "OPSMITH_POLICY_FILE"),
        hot_reload_interval_ms=_number(source, "OPSMITH_HOT_RELOAD_INTERVAL_MS", 500.0),
        key=source.get("OPSMITH_KEY", ""),
        tls_cert_file=_path(source, "OPSMITH_TLS_CERT_FILE"),
        tls_key_file=_path(source, "OPSMITH_TLS_KEY_FILE"),
        tls_client_ca_file=_path(source, "OPSMITH_TLS_CLIENT_CA_FILE"),
        principals_file=_path(source, "OPSMITH_PRINCIPALS_FILE"),
        inventory_file=_path(source, "OPSMITH_INVENTORY_FILE"),
        metric_catalogue=_path(source, "OPSMITH_METRIC_CATALOGUE"),
        config_repo=_path(source, "OPSMITH_CONFIG_REPO"),
        llm_url=source.get("OPSMITH_LLM_URL") or None,
        llm_model=source.get("OPSMITH_LLM_MODEL", ""),
        llm_key=source.get("OPSMITH_LLM_KEY", ""),
        llm_timeout_s=_number(source, "OPSMITH_LLM_TIMEOUT_S", 120.0),
        llm_at_once=_count(source, "OPSMITH_LLM_AT_ONCE", 0),
        llm_context=_count(source, "OPSMITH_LLM_CONTEXT", 8192),
        llm_keep_alive=source.get("OPSMITH_LLM_KEEP_ALIVE") or "10m",
        llm_threads=_count(source, "OPSMITH_LLM_THREADS", 1),
        zone=source.get("OPSMITH_ZONE") or "UTC",
    )
    return _with_stores(known, source)


def _with_stores(known: Settings, source: Mapping[str, str]) -> Settings:
    """Where what lasts or travels is kept, when it is kept by servers."""
    return replace(
        known,
        graph_url=source.get("OPSMITH_GRAPH_URL") or None,
        graph_password=source.get("OPSMITH_GRAPH_PASSWORD", ""),
        ledger_url=source.get("OPSMITH_LEDGER_URL") or None,
        ledger_password_file=_path(source, "OPSMITH_LEDGER_PASSWORD_FILE"),
        kafka_url=source.get("OPSMITH_KAFKA_URL") or None,
        kafka_password=source.get("OPSMITH_KAFKA_PASSWORD", ""),
        queue_url=source.get("OPSMITH_QUEUE_URL") or None,
        queue_password=source.get("OPSMITH_QUEUE_PASSWORD", ""),
    )


def _path(source: Mapping[str, str], name: str) -> Path | None:
    return Path(text) if (text := source.get(name)) else None


def _count(source: Mapping[str, str], name: str, default: int) -> int:
    value = _number(source, name, default)
    if value != int(value):
        raise BadInput(f"{name} is {value:g}; it must be a whole number.")
    return int(value)


def _number(source: Mapping[str, str], name: str, default: float) -> float:
    text = source.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise BadInput(f"{name} is {text[:40]!r}; it must be a number above 0.")
    return value
