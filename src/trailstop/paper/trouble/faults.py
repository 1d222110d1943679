"""Faults as data: what goes wrong, for which requests or streams, when and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct, field, structs

from trailstop.paper.chance import chance
from trailstop.paper.trouble.kinds import (
    CREATE_KINDS,
    CUTTING,
    MESSAGE_KINDS,
    READ_KINDS,
    STREAM_KINDS,
    WORLD_KINDS,
    FaultKind,
    WorldFaultKind,
)

MS_PER_SECOND = 1_000
READ_METHODS: Final = ("GET",)
CREATE_METHODS: Final = ("POST", "PUT", "WS")


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault; empty and absent fields match everything. ValueError for nonsense."""

    kind: FaultKind
    method: str = ""
    path: str = ""
    """The request's path, or a piece that it begins with."""
    account: str = ""
    """Name or API key."""
    symbol: str = ""
    client_id: str = ""
    """What the order's client id begins with."""
    stream: str = ""
    """`public`, `market` or `private`, or a stream name; for faults of streams."""
    event: str = ""
    """What the type or topic of a stream's message begins with: ORDER_TRADE_UPDATE, tickers."""
    from_ms: int | None = None
    """Virtual Unix time at which it begins, milliseconds."""
    until_ms: int | None = None
    skip: int = 0
    """So many matching calls or messages pass first: 2 means from the third on."""
    count: int | None = None
    """How often it happens; None for ever."""
    share: float = 1.0
    """Share of matching calls or messages that it hits, drawn by seed and virtual time."""
    delay_ms: int = 0
    retry_after_s: int = 1
    executed: bool = False
    cut: bool = True
    """Whether a lost request or answer ends its connection; else the caller waits in vain."""
    status: int = 0
    """HTTP status of `html`; 5028 chooses Binance's other code of `clock_refused`."""
    field: str = ""
    """Name of the field that `tamper` changes."""
    value: str | None = None
    """What `tamper` puts there; None leaves the field out."""
    lag_ms: int = 0
    """How old lagging answers are; nothing older than the fault itself is shown."""
    drift_ppm: int = 0
    """Microseconds that a skewed clock gains in each second."""
    weight: int = 0
    """What somebody else uses of the address's budget: weight, at Bybit requests."""
    orders: int = 0
    """What somebody else uses of the account's: orders, at Bybit order calls."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not 0 <= self.share <= 1:
            raise ValueError(f"{self.kind}: share is a part of 1; give one from 0 to 1")
        numbers = ("skip", "retry_after_s", "status", "lag_ms", "weight", "orders")
        for name in (*numbers, *(() if self.kind == "clock_skew" else ("delay_ms",))):
            if getattr(self, name) < 0:
                raise ValueError(f"{self.kind}: {name} is below zero; give 0 or more")
        if self.count is not None and self.count < 0:
            raise ValueError(f"{self.kind}: count is below zero; give 0 or more, or leave it out")
        if None not in (self.from_ms, self.until_ms) and self.until_ms < self.from_ms:  # type: ignore[operator]
            raise ValueError(f"{self.kind}: until_ms lies before from_ms; give a later end")
        missing = _missing(self)
        if missing:
            raise ValueError(f"{self.kind}: give {missing}")

    @property
    def of_messages(self) -> bool:
        """Whether it hits messages of streams."""
        return self.kind in MESSAGE_KINDS or (
            self.kind == "tamper" and bool(self.stream or self.event)
        )


def _missing(fault: Fault) -> str:
    """What this kind cannot do without, in words; empty if it is all there."""
    match fault.kind:
        case "tamper" if not fault.field:
            return "the field that is changed"
        case "lagging" if not fault.lag_ms:
            return "lag_ms, how old the answers are"
        case "late" | "reordered" if not fault.delay_ms:
            return "delay_ms, how late messages come"
        case "clock_skew" if not (fault.delay_ms or fault.drift_ppm):
            return "delay_ms, drift_ppm or both"
        case "foreign_use" if not (fault.weight or fault.orders):
            return "weight, orders or both"
    return ""


class Asked(Struct, frozen=True, kw_only=True):
    """What is known of a request when it arrives."""

    method: str
    path: str
    account: str = ""
    """API key."""
    account_name: str = ""
    symbol: str = ""
    client_id: str = ""
    params: dict[str, str] = field(default_factory=dict)
    timed: bool = False
    """Whether it says when it was sent, as signed requests do."""


class Told(Struct, frozen=True, kw_only=True):
    """What is known of a message of a stream, or of a stream itself."""

    groups: tuple[str, ...]
    """`public`, `market`, `private`; market data have one path at Bybit, and so two names."""
    stream: str = ""
    event: str = ""
    """Type of the event, or topic."""
    account: str = ""
    account_name: str = ""
    symbol: str = ""


class Listed(Struct, kw_only=True):
    """A fault with its number and how often it was met and happened."""

    fault_id: int
    fault: Fault
    met: int = 0
    happened: int = 0


class Faults:
    """The faults in force, in the order in which they were added."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._listed: list[Listed] = []
        self._requests: list[Listed] = []
        self._streams: list[Listed] = []
        self._by_kind: dict[FaultKind, list[Listed]] = {}
        self._over_ms: int | None = None
        """When the next fault of requests or streams is over, and need not be looked at."""
        self._added = 0
        self.happened: Counter[str] = Counter()

    def add(self, fault: Fault) -> int:
        """Put a fault in force and return its number."""
        self._added += 1
        self._listed.append(Listed(fault_id=self._added, fault=fault))
        self._sort()
        return self._added

    def reseed(self, seed: int) -> None:
        """Draw all chance from this seed from now on."""
        self._seed = seed

    def clear(self, fault_id: int | None = None) -> None:
        """End one fault, or all."""
        self._listed = [
            row for row in self._listed if fault_id is not None and row.fault_id != fault_id
        ]
        self._sort()

    def get(self, fault_id: int) -> Listed | None:
        """The fault of this number, while it is in force."""
        return next((row for row in self._listed if row.fault_id == fault_id), None)

    def listed(self) -> Sequence[Listed]:
        """The faults in force with their counts."""
        return tuple(structs.replace(row) for row in self._listed)

    def of_kind(self, *kinds: FaultKind) -> Iterator[Listed]:
        """The faults of these kinds, whether their time has come or not."""
        for kind in kinds:
            yield from self._by_kind.get(kind, ())

    def for_request(self, asked: Asked, now_us: int) -> Fault | None:
        """The fault that hits this request; counts it as happened."""
        self._drop_what_is_over(now_us)
        for row in self._requests:
            if _matches(row.fault, asked) and self.strikes(row, now_us, asked.path):
                return row.fault
        return None

    @property
    def seed(self) -> int:
        """The seed of all chance."""
        return self._seed

    @property
    def disturb_streams(self) -> bool:
        """Whether any fault may hit messages of streams."""
        return bool(self._streams)

    def for_message(self, told: Told, now_us: int) -> list[Listed]:
        """The faults that this message may meet, now or later."""
        self._drop_what_is_over(now_us)
        return [row for row in self._streams if _hears(row.fault, told)]

    def refuses_connection(self, stream: str, groups: tuple[str, ...], now_us: int) -> bool:
        """Whether a new connection is refused at this time; counts it as happened."""
        told = Told(groups=groups, stream=stream)
        for row in self.of_kind(*CUTTING):
            fault = row.fault
            whole = fault.kind == "maintenance" or _hears(fault, told)
            if whole and in_time(fault, now_us):
                self.count(row)
                return True
        return False

    def for_stop(self, kind: WorldFaultKind, asked: Asked, now_us: int) -> bool:
        """Whether a fault of this kind hits a conditional order at its trigger; counts it."""
        return any(
            row.fault.kind == kind
            and _matches(row.fault, asked)
            and self.strikes(row, now_us, asked.path)
            for row in self.of_kind(kind)
        )

    def foreign_use(self, since_us: int, now_us: int, *names: str) -> tuple[int, int]:
        """Weight and orders that somebody else has used in a window which began at `since_us`.

        Orders are those of the account with these names; weight is everybody's.
        """
        weight = orders = 0
        for row in self.of_kind("foreign_use"):
            fault = row.fault
            begins_us = (fault.from_ms or 0) * MS_PER_SECOND
            over = fault.until_ms is not None and fault.until_ms * MS_PER_SECOND <= since_us
            if begins_us > now_us or over:
                continue
            weight += fault.weight
            if not fault.account or fault.account in names:
                orders += fault.orders
            if not row.happened:
                self.count(row)
        return weight, orders

    def count(self, row: Listed) -> None:
        """Count a fault as happened once more."""
        row.happened += 1
        self.happened[row.fault.kind] += 1

    def _sort(self) -> None:
        """Sort the faults by what they hit, so that messages do not look through all of them."""
        self._requests, self._streams, self._by_kind = [], [], {}
        for row in self._listed:
            self._by_kind.setdefault(row.fault.kind, []).append(row)
            if row.fault.of_messages:
                self._streams.append(row)
            elif row.fault.kind not in (*STREAM_KINDS, *WORLD_KINDS):
                self._requests.append(row)
        self._find_next_end()

    def _drop_what_is_over(self, now_us: int) -> None:
        """Look at faults whose time is over no more; they stay listed with their counts."""
        now_ms = now_us // MS_PER_SECOND
        if self._over_ms is None or now_ms < self._over_ms:
            return
        self._requests, self._streams = (
            [row for row in rows if not _is_over(row.fault, now_ms)]
            for rows in (self._requests, self._streams)
        )
        self._find_next_end()

    def _find_next_end(self) -> None:
        ends = (row.fault.until_ms for row in (*self._requests, *self._streams))
        self._over_ms = min((end for end in ends if end is not None), default=None)

    def strikes(self, row: Listed, now_us: int, decides: object) -> bool:
        """Meet a fault: whether it happens now, by its times, counts and share; counts it."""
        fault = row.fault
        if not in_time(fault, now_us):
            return False
        row.met += 1
        if row.met <= fault.skip:
            return False
        if fault.count is not None and row.happened >= fault.count:
            return False
        if fault.share < 1 and chance(self._seed, row.fault_id, decides, now_us) >= fault.share:
            return False
        self.count(row)
        return True


def in_time(fault: Fault, now_us: int) -> bool:
    """Whether the fault's time has come and is not over."""
    now_ms = now_us // MS_PER_SECOND
    after = fault.from_ms is None or now_ms >= fault.from_ms
    return after and (fault.until_ms is None or now_ms < fault.until_ms)


def _is_over(fault: Fault, now_ms: int) -> bool:
    return fault.until_ms is not None and fault.until_ms <= now_ms


def _matches(fault: Fault, asked: Asked) -> bool:
    return (
        fault.method in {"", asked.method}
        and asked.path.startswith(fault.path)
        and fault.account in {"", asked.account, asked.account_name}
        and fault.symbol in {"", asked.symbol}
        and asked.client_id.startswith(fault.client_id)
        and _of_its_sort(fault, asked)
    )


def _of_its_sort(fault: Fault, asked: Asked) -> bool:
    """Whether this kind of fault can hit this sort of request at all."""
    if fault.kind in READ_KINDS:
        return asked.method in READ_METHODS
    if fault.kind in CREATE_KINDS:
        return asked.method in CREATE_METHODS
    return asked.timed or fault.kind != "clock_refused"


def _hears(fault: Fault, told: Told) -> bool:
    return (
        fault.stream in {"", told.stream, told.event, *told.groups}
        and (told.event.startswith(fault.event) or told.stream.startswith(fault.event))
        and fault.account in {"", told.account, told.account_name}
        and fault.symbol in {"", told.symbol}
    )
