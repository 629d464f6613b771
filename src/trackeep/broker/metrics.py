"""What the service counts for its operator: how many, how long, why not; never who and never for whom."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Reasons are the error codes of this program; the bound is for the day when one comes from outside.
MOST_REASONS = 64
# GitHub takes 0.1 to 0.5 s; it is given up after 10.
LATENCIES_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10)


class Metrics:
    """The counters of one running service; each replica has its own."""

    def __init__(self) -> None:
        # Not the library's global registry: two services in one process must not count together.
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._starts = Counter("trackeep_broker_starts", "Logins that were asked for.", registry=registry)
        self._consents = Counter("trackeep_broker_consents", "People who chose Continue.", registry=registry)
        self._logins = Counter(
            "trackeep_broker_logins", "Logins that came back from GitHub.", ["mode"], registry=registry
        )
        self._redemptions = Counter(
            "trackeep_broker_redemptions", "Codes that were redeemed.", registry=registry
        )
        self._refreshes = Counter(
            "trackeep_broker_refreshes", "Answers to refresh tokens.", ["source"], registry=registry
        )
        self._failures = Counter(
            "trackeep_broker_failures", "Requests that failed, by error code.", ["reason"], registry=registry
        )
        self._limited = Counter(
            "trackeep_broker_limited", "Requests refused by a limit.", ["rule"], registry=registry
        )
        self._github = Histogram(
            "trackeep_broker_github_seconds",
            "How long GitHub took to answer.",
            ["call"],
            buckets=LATENCIES_S,
            registry=registry,
        )
        self._reasons: set[str] = set()

    def started(self) -> None:
        self._starts.inc()

    def consented(self) -> None:
        self._consents.inc()

    def signed_in(self, mode: str) -> None:
        """`mode` is code or token."""
        self._logins.labels(mode).inc()

    def redeemed(self) -> None:
        self._redemptions.inc()

    def refreshed(self, source: str) -> None:
        """`source` is github, or kept for an answer that was given before."""
        self._refreshes.labels(source).inc()

    def failed(self, code: str) -> None:
        """`code` of a TrackeepError; requests past a limit have a counter of their own."""
        if code == "rate_limited":
            return
        if len(self._reasons) < MOST_REASONS:
            self._reasons.add(code)
        self._failures.labels(code if code in self._reasons else "other").inc()

    def limited(self, rule: str) -> None:
        """`rule` is the group of a rule of limits.py."""
        self._limited.labels(rule).inc()

    def asked_github(self, call: str, took_s: float) -> None:
        """`call` is one of the service's few questions: token, refresh, user, emails, revoke."""
        self._github.labels(call).observe(took_s)

    def text(self) -> bytes:
        """Everything, in Prometheus's text format; no label names a person or a target."""
        return generate_latest(self._registry)
