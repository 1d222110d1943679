"""The composition root: builds the daemon from its configuration and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from msgspec import Struct

from trailstop.clock import MS_PER_SECOND, Clock, SystemClock
from trailstop.config import Account, Config
from trailstop.daemon.account import AccountGuard
from trailstop.daemon.facade import Facade
from trailstop.daemon.ids import own_prefix
from trailstop.daemon.reconcile import Reconciler
from trailstop.daemon.recovery import Recovery
from trailstop.daemon.socket import StatusSocket
from trailstop.daemon.supervisor import Supervisor
from trailstop.observe.facts import tell
from trailstop.observe.hub import FactHub
from trailstop.observe.log import LogSettings, configure
from trailstop.ports import Venue
from trailstop.storage.records import Alarmed, Record, leg_of
from trailstop.storage.store import Store
from trailstop.timelink import run_linked
from trailstop.venues.binance.settings import BinanceSettings
from trailstop.venues.binance.transport import new_address as binance_address
from trailstop.venues.binance.venue import BinanceVenue
from trailstop.venues.bybit.settings import BybitSettings
from trailstop.venues.bybit.transport import new_address as bybit_address
from trailstop.venues.bybit.venue import BybitVenue
from trailstop.venues.governor import AddressBudget
from trailstop.venues.offset import ServerClock

_log = structlog.get_logger("trailstop.guard")

EXIT_DONE = 0
MS_PER_DAY = 86_400_000


def _told(account: Account, prefix: str) -> dict[str, Any]:
    """What the settings of every adapter have in common."""
    key, secret = account.keys()
    return {
        "account": account.name,
        "api_key": key.reveal(),
        "api_secret": secret.reveal(),
        "rest_url": account.rest_url,
        "ws_url": account.ws_url,
        "own_prefix": prefix,
        "key_variables": (account.key_source or "", account.secret_source or ""),
    }


def _jitter(account: Account) -> random.Random:
    """Chance that only spreads reconnects; a seed of the account keeps runs alike."""
    return random.Random(account.name)


def _binance(
    account: Account, prefix: str, clock: Clock, server: ServerClock, budget: AddressBudget
) -> Venue:
    settings = BinanceSettings(**_told(account, prefix))
    return BinanceVenue(settings, clock, _jitter(account), server, budget)


def _bybit(
    account: Account, prefix: str, clock: Clock, server: ServerClock, budget: AddressBudget
) -> Venue:
    settings = BybitSettings(**_told(account, prefix))
    return BybitVenue(settings, clock, _jitter(account), server, budget)


class Adapter(Struct, frozen=True):
    """How the accounts of one exchange are reached."""

    make: Callable[[Account, str, Clock, ServerClock, AddressBudget], Venue]
    new_address: Callable[[], AddressBudget]
    """What all accounts behind one address may spend together."""


ADAPTERS: Final[dict[str, Adapter]] = {
    "binance": Adapter(_binance, binance_address),
    "bybit": Adapter(_bybit, bybit_address),
}


class RunOptions(Struct, frozen=True):
    """What is not in the configuration file: how this process logs."""

    log: LogSettings


def run(config: Config, *, log: LogSettings) -> int:
    """Guard until Ctrl-C or SIGTERM; the stops stay on the exchange.

    Returns the exit status. Raises: TrailstopError where it cannot start.
    """
    options = RunOptions(log)
    if config.link is None:
        asyncio.run(_main(config, options, SystemClock()))
    else:
        host, port = config.link
        run_linked(lambda clock: _main(config, options, clock), host, port)
    return EXIT_DONE


async def _main(config: Config, options: RunOptions, clock: Clock) -> None:
    secrets = [
        secret.reveal()
        for account in config.accounts
        for secret in (account.api_key, account.api_secret)
        if secret is not None
    ]
    configure(options.log, secrets=secrets, now_ms=clock.wall_ms)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stopping.set)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    store = Store.open(config.database_url, mode=config.mode, now_ms=clock.wall_ms())
    try:
        await Daemon(config, store, clock).run(stopping)
    finally:
        await store.close()


class Daemon:
    """All accounts of one process."""

    def __init__(self, config: Config, store: Store, clock: Clock) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._loaded = store.load()
        self._hub = FactHub()
        self._supervisor = Supervisor(clock)
        # Accounts behind one address share its clock, its weight and its bans.
        self._servers: dict[str, tuple[ServerClock, AddressBudget]] = {}
        self._accounts = [self._account(account) for account in config.accounts]
        self.facade = Facade(self._accounts, store, clock, config.mode, self._loaded)
        self._hub.subscribe("log", _log_fact)
        self._hub.subscribe("status", self.facade.on_record)

    def _account(self, account: Account) -> AccountGuard:
        adapter = ADAPTERS[account.venue]
        if account.rest_url not in self._servers:
            self._servers[account.rest_url] = (ServerClock(self._clock), adapter.new_address())
        prefix = own_prefix(self._store.installation)
        venue = adapter.make(account, prefix, self._clock, *self._servers[account.rest_url])
        return AccountGuard(
            venue,
            store=self._store,
            clock=self._clock,
            supervisor=self._supervisor,
            config=self._config,
            hub=self._hub,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Start every account, guard until asked to stop, close without touching an order."""
        socket = StatusSocket(self.facade, self._config.data_dir)
        try:
            await _unless(stopping, self._start(socket))
            await stopping.wait()
            _log.info("stopping", note="the stops stay on the exchange")
        finally:
            await self._supervisor.close()
            await socket.close()
            for account in self._accounts:
                account.finish()
                await account.venue.close()

    async def _start(self, socket: StatusSocket) -> None:
        await asyncio.gather(*(account.venue.start() for account in self._accounts))
        await socket.start()
        await asyncio.gather(*(self._bring_up(account) for account in self._accounts))
        self._supervisor.keep("journal upkeep", self._keep_journal)
        _log.info("guarding", accounts=len(self._accounts), mode=self._config.mode)

    async def _bring_up(self, account: AccountGuard) -> None:
        """Continue what the store has of an account, compare all of it, then keep watch."""
        name = account.venue.account
        reconciler = Reconciler(account)
        recovery = Recovery(
            account, self._loaded, reconciler.apply, reconciler.end, reconciler.adopt_new
        )
        await recovery.run()
        await reconciler.one_pass(full=True, urgent=True)
        self._supervisor.keep(f"stream {name}", account.listen)
        self._supervisor.keep(f"passes {name}", reconciler.run)

    async def _keep_journal(self) -> None:
        """Once a day pack yesterday's prices and forget those that are too old."""
        days = self._config.general.journal_retention_days
        while True:
            now_ms = self._clock.wall_ms()
            while await self._store.compact(now_ms - MS_PER_DAY):
                pass
            await self._store.prune(now_ms - days * MS_PER_DAY)
            await self._clock.sleep(MS_PER_DAY / MS_PER_SECOND)


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, or leave it where it is as soon as somebody wants to stop."""
    task = asyncio.ensure_future(work)
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
    finally:
        for unfinished in (task, stop):
            unfinished.cancel()
        await asyncio.gather(task, stop, return_exceptions=True)


def _log_fact(record: Record) -> None:
    line = tell(record)
    if line is None:
        return
    leg = leg_of(record)
    level = _log.error if isinstance(record, Alarmed) else _log.info
    level(line, account=leg.account, venue=leg.venue, symbol=leg.symbol)
