"""Callees: the store, queue or service that a client span calls, named by its attributes.

Source: OpenTelemetry semantic conventions for database, messaging, RPC and HTTP client spans,
stable and earlier names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity, EntityKind

_SYSTEMS = ("db.system.name", "db.system")
_CACHES = frozenset({"redis", "valkey", "memcached", "keydb", "dragonfly", "hazelcast"})
_DATABASE_NAMES = ("peer.service", "db.namespace", "db.name")
_QUEUE_NAMES = ("messaging.destination.name", "messaging.destination", "peer.service")
_ADDRESSES = ("server.address", "net.peer.name", "network.peer.address", "net.peer.ip")
_NUMERIC = re.compile(r"[\d.]+|[\da-fA-F:.\[\]]*:[\da-fA-F:.\[\]]*|localhost")
_PORTS = ("server.port", "net.peer.port", "network.peer.port")


def callee(attributes: Mapping[str, str], naming: Naming) -> Entity | None:
    """Whom the span calls: a database, a cache, a queue, or the peer that it names.

    A database is named by `peer.service`, else its own name, else the address, else its system.
    An HTTP or RPC call names a service only by `peer.service`: its server's own span tells better.

    >>> str(callee({"db.system": "postgresql", "db.name": "orders"}, Naming()))
    'database:orders'
    """
    system = _first(_SYSTEMS, attributes)
    if system:
        cached = system in _CACHES
        kind = EntityKind.CACHE if cached else EntityKind.DATABASE
        names = ("peer.service",) if cached else _DATABASE_NAMES
        return naming.entity(kind, _first(names, attributes) or _address(attributes) or system)
    if attributes.get("messaging.system"):
        name = _first(_QUEUE_NAMES, attributes) or _address(attributes)
        return naming.entity(EntityKind.QUEUE, name or attributes["messaging.system"])
    peer = attributes.get("peer.service", "")
    return naming.entity(EntityKind.SERVICE, peer) if peer else None


def _address(attributes: Mapping[str, str]) -> str:
    host, port = _first(_ADDRESSES, attributes), _first(_PORTS, attributes)
    # A bare IP address may serve many stores; a host name is a name already.
    return f"{host}:{port}" if port and _NUMERIC.fullmatch(host) else host


def _first(names: tuple[str, ...], attributes: Mapping[str, str]) -> str:
    return next((attributes[name] for name in names if attributes.get(name)), "")
