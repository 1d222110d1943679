"""What a guard's requests use of the exchange's limits, by the exchange's own answers.

Each answer is looked at on its way out: the counts in its headers are what the exchange has
counted. Requests of one address in five seconds (Bybit) stand in no header and are counted here.
A request that leaves while a `Retry-After`, a ban or a used-up endpoint is known to it is noted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from trailstop.paper.assembly import Paper
from trailstop.paper.bybit.limits import LEFT as BYBIT_LEFT
from trailstop.paper.bybit.limits import LIMIT as BYBIT_LIMIT
from trailstop.paper.bybit.limits import RESET as BYBIT_RESET
from trailstop.paper.bybit.limits import BybitLimits
from trailstop.paper.dialect import DialectServer

KEPT_PERCENT = 80
"""What all but protective requests may use of a limit."""
PERCENT = 100
MS_PER_SECOND = 1_000
MINUTE_MS = 60_000
TRAVEL_MS = 200
"""By so much a request that counts in a window may have left before it."""
SHUT = (403, 418, 429)
FIRST_NAMED = 20
"""Requests inside a silence, and windows above the share, that are named one by one."""
BINANCE_WINDOWS = {
    "X-MBX-USED-WEIGHT-1M": ("weight a minute", 60_000),
    "X-MBX-ORDER-COUNT-10S": ("orders in 10 s", 10_000),
    "X-MBX-ORDER-COUNT-1M": ("orders a minute", 60_000),
}
KEY_HEADERS = ("X-MBX-APIKEY", "X-BAPI-API-KEY")


class _Gauge:
    """One limit: its highest use, with what was sent in that window."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.highest = 0
        self.of_which_writes = 0
        self.sent: Counter[str] = Counter()
        self.by_minute: dict[int, int] = {}

    def see(self, used: int, now_ms: int, sent: Counter[str]) -> None:
        minute = now_ms // MINUTE_MS
        self.by_minute[minute] = max(self.by_minute.get(minute, 0), used)
        if used > self.highest:
            self.highest = used
            self.sent = Counter(dict(sent.most_common(5)))
            self.of_which_writes = sum(
                count for name, count in sent.items() if not name.startswith("GET ")
            )

    @property
    def kept(self) -> bool:
        """Whether the share was kept, what protective writes took from the reserve left out."""
        return (self.highest - self.of_which_writes) * PERCENT <= self.limit * KEPT_PERCENT

    def told(self) -> dict[str, Any]:
        minutes = sorted(self.by_minute.values())
        return {
            "limit": self.limit,
            "highest": self.highest,
            "highest_percent": round(self.highest * PERCENT / self.limit, 1),
            "median_of_minutes_percent": round(minutes[len(minutes) // 2] * PERCENT / self.limit, 1)
            if minutes
            else 0,
            "of_which_writes": self.of_which_writes,
            "sent": dict(self.sent),
            "kept": self.kept,
        }


class Meter:
    """Looks at every request and answer of one paper exchange from now on."""

    def __init__(self, paper: Paper) -> None:
        self._now_us: Callable[[], int] = lambda: paper.exchange.loop.now_us
        self._build = paper.build
        self._names = {row.key: row.name for row in paper.exchange.world.accounts.values()}
        self.gauges: dict[str, _Gauge] = {}
        self.requests: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        """Answers that refuse for a limit, by venue and status or code, injected ones too."""
        self.inside: list[str] = []
        self.inside_count = 0
        self.others_weight: Callable[[int], int] = lambda _now_ms: 0
        self.others_orders: Callable[[int], int] = lambda _now_ms: 0
        """What somebody else uses of the address and of the account at a time (a fault)."""
        self._recent: dict[str, deque[tuple[int, str]]] = {}
        self._silent_until_us: dict[str, int] = {}
        self._attach("binance", paper.binance)
        if paper.bybit is not None:
            self._attach("bybit", paper.bybit)

    @property
    def kept(self) -> bool:
        """Whether no limit was used beyond the share and nothing was sent into a silence."""
        return not self.inside_count and all(gauge.kept for gauge in self.gauges.values())

    def told(self) -> dict[str, Any]:
        return {
            "requests": sum(self.requests.values()),
            "by_request": dict(self.requests.most_common(12)),
            "limits": {name: gauge.told() for name, gauge in sorted(self.gauges.items())},
            "refused_for_limits": dict(self.refused),
            "inside_silence": self.inside_count,
            "inside_silence_first": self.inside,
        }

    # --- one request -----------------------------------------------------------------------
    def _attach(self, venue: str, server: DialectServer) -> None:
        handle = server.rest.handle

        async def metered(request: web.BaseRequest) -> web.StreamResponse:
            sent_us = self._now_us()
            account = self._account(request.headers)
            name = f"{request.method} {request.path}"
            self._sent(venue, account, name, sent_us)
            response = await handle(request)
            # Both ways of a request take equally long.
            self._answered(venue, account, name, response, (sent_us + self._now_us()) // 2)
            return response

        server.rest.handle = metered  # type: ignore[method-assign]

    def _account(self, headers: Mapping[str, str]) -> str:
        key = next((headers[name] for name in KEY_HEADERS if name in headers), "")
        return self._names.get(key, "")

    def _sent(self, venue: str, account: str, name: str, now_us: int) -> None:
        self.requests[f"{venue} {name}"] += 1
        for silence in (venue, f"{venue} {account} {name}"):
            if now_us < self._silent_until_us.get(silence, 0):
                self.inside_count += 1
                if len(self.inside) < FIRST_NAMED:
                    self.inside.append(f"{now_us // MS_PER_SECOND} {name} of {account} ({silence})")
        for scope in (venue, f"{venue} {account}", f"{venue} {account} {name}"):
            recent = self._recent.setdefault(scope, deque())
            recent.append((now_us, name))
            while recent[0][0] < now_us - MINUTE_MS * MS_PER_SECOND:
                recent.popleft()
        if venue == "bybit":
            limits: BybitLimits = self._build.bybit_limits
            window_ms = limits.address_window_ms
            sent = self._within(venue, now_us, window_ms)
            self._see(
                "bybit requests of the address in 5 s",
                limits.address_requests,
                sent.total(),
                now_us,
                sent,
            )

    def _answered(
        self, venue: str, account: str, name: str, response: web.StreamResponse, effect_us: int
    ) -> None:
        headers = response.headers
        now_ms = effect_us // MS_PER_SECOND
        if response.status in SHUT:
            self.refused[f"{venue} {response.status}"] += 1
            seconds = headers.get("Retry-After")
            if seconds is not None:
                until_us = effect_us + int(seconds) * 1_000_000
                self._silent_until_us[venue] = max(self._silent_until_us.get(venue, 0), until_us)
        if venue == "binance":
            self._binance(account, headers, effect_us)
        elif BYBIT_LIMIT in headers:
            limit, left = int(headers[BYBIT_LIMIT]), int(headers[BYBIT_LEFT])
            scope = f"bybit {account} {name}"
            sent = self._within(scope, effect_us, MS_PER_SECOND + TRAVEL_MS)
            # What others use is taken out by what was sent: a request costs one, and their use
            # begins and ends within a second.
            used = min(limit - left, sent.total())
            self._see(f"{scope} a second", limit, used, effect_us, sent)
            if left <= 0 and b'"retCode":10006' in bytes(getattr(response, "body", b"") or b""):
                self.refused["bybit 10006"] += 1
                reset_us = int(headers[BYBIT_RESET]) * MS_PER_SECOND
                if reset_us // MS_PER_SECOND > now_ms:
                    self._silent_until_us[scope] = reset_us

    def _binance(self, account: str, headers: Mapping[str, str], effect_us: int) -> None:
        limits = self._build.limits
        now_ms = effect_us // MS_PER_SECOND
        most = {
            "X-MBX-USED-WEIGHT-1M": limits.weight_per_minute,
            "X-MBX-ORDER-COUNT-10S": limits.orders_per_ten_seconds,
            "X-MBX-ORDER-COUNT-1M": limits.orders_per_minute,
        }
        for header, (words, length_ms) in BINANCE_WINDOWS.items():
            if header not in headers:
                continue
            by_address = header == "X-MBX-USED-WEIGHT-1M"
            scope = "binance" if by_address else f"binance {account}"
            others = self.others_weight(now_ms) if by_address else self.others_orders(now_ms)
            # The windows are fixed: only what was sent since this one began is in the count.
            sent = self._within(scope, effect_us, now_ms % length_ms or length_ms)
            used = max(0, int(headers[header]) - others)
            self._see(f"{scope} {words}", most[header], used, effect_us, sent)

    def _see(self, name: str, limit: int, used: int, now_us: int, sent: Counter[str]) -> None:
        gauge = self.gauges.setdefault(name, _Gauge(limit))
        gauge.see(used, now_us // MS_PER_SECOND, sent)

    def _within(self, scope: str, now_us: int, length_ms: int) -> Counter[str]:
        """What was sent in the window that ends now."""
        since_us = now_us - length_ms * MS_PER_SECOND
        recent = self._recent.get(scope, ())
        return Counter(name for sent_us, name in recent if since_us < sent_us <= now_us)
