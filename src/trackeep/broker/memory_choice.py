"""Which memory the service has: that of its own process, or the one that its replicas share in Redis."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from trackeep.broker.memory import InProcess, Memory, Names
from trackeep.environment import BrokerSettings
from trackeep.errors import SettingsError


def choose(settings: BrokerSettings, clock: Callable[[], float]) -> Memory:
    """Redis when its address is set, else this process; raises SettingsError when the package is missing."""
    # The one secret that all replicas have and that outlives every rotation of keys.
    names = Names(settings.github_client_secret)
    if not settings.redis_url:
        return InProcess(names, clock)
    try:
        # Named here and not at the top: whoever runs one process needs no Redis.
        redis = importlib.import_module("trackeep.broker.memory_redis")
    except ModuleNotFoundError:
        raise SettingsError(
            "TRACKEEP_BROKER_REDIS_URL is set, but the Python package for Redis is not installed.",
            "Install it: `pip install trackeep[redis]`.",
        ) from None
    shared: Memory = redis.Redis(settings.redis_url, names, InProcess(names, clock))
    return shared
