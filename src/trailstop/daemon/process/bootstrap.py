"""The composition root: builds the daemon from its configuration and runs it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

import structlog
from msgspec import Struct

from trailstop.clock import MS_PER_SECOND, Clock, SystemClock
from trailstop.config import Account, Config
from trailstop.daemon.account import AccountGuard
from trailstop.daemon.prices.polling import PriceWatch
from trailstop.daemon.process.contact import Contact
from trailstop.daemon.process.looplag import LoopWatch
from trailstop.daemon.process.notices import Notices
from trailstop.daemon.process.pauses import Pauses
from trailstop.daemon.process.starts import Starts
from trailstop.daemon.process.startup import AccountStart
from trailstop.daemon.process.stopping import stop_on_signals
from trailstop.daemon.process.supervisor import Supervisor
from trailstop.daemon.reading.inspection import Inspection
from trailstop.daemon.reading.reconcile import Reconciler
from trailstop.daemon.reading.recovery import Recovery
from trailstop.daemon.talk.facade import Facade
from trailstop.daemon.talk.socket import StatusSocket
from trailstop.daemon.writing.budget import MoveBudget
from trailstop.daemon.writing.ids import own_prefix
from trailstop.errors import ConfigError, TrailstopError
from trailstop.observe.facts import tell
from trailstop.observe.hub import FactHub
from trailstop.observe.log import LogSettings, configure
from trailstop.ports import Venue
from trailstop.storage.database import Finding
from trailstop.storage.outage import STORE_WELL
from trailstop.storage.records import Alarmed, Record, leg_of
from trailstop.storage.shapes import Loaded
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
    refuse_doubles(config.accounts)
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    store = Store.open(config.database_url, mode=config.mode, now_ms=clock.wall_ms())
    starts = Starts(config.data_dir)
    try:
        await _unless(stopping, clock.sleep(starts.begin()))
        await Daemon(config, store, clock, guarding=starts.succeeded).run(stopping)
        starts.succeeded()
    except TrailstopError:
        # A setting or an address is wrong, and whoever mends it is not kept waiting.
        starts.succeeded()
        raise
    finally:
        await store.close()


def refuse_doubles(accounts: Sequence[Account]) -> None:
    """Raises: ConfigError where two accounts are one and the same."""
    known: dict[tuple[str, str, str], str] = {}
    for account in accounts:
        key, _ = account.keys()
        other = known.setdefault((account.venue, account.rest_url, key.reveal()), account.name)
        if other != account.name:
            raise ConfigError(
                f"accounts {other} and {account.name} have the same key on {account.venue}, so "
                f"that each position would be guarded twice; remove one of them, or check "
                f"{account.key_source}"
            )


class Daemon:
    """All accounts of one process."""

    def __init__(
        self,
        config: Config,
        store: Store,
        clock: Clock,
        *,
        guarding: Callable[[], None] = lambda: None,
    ) -> None:
        """`guarding` is called when the first account has been looked at."""
        self._guarding = guarding
        self._config = config
        self._store = store
        self._clock = clock
        self._loaded = store.load()
        self._hub = FactHub()
        self._notices = Notices(store, self._hub, clock.wall_ms)
        self._supervisor = Supervisor(clock)
        self.loop_watch = LoopWatch(clock)
        store.listener = self._tell_of_store
        self._supervisor.listener = self._tell_of_failure
        # Accounts behind one address share its clock, its weight and its bans.
        self._servers: dict[str, tuple[ServerClock, AddressBudget]] = {}
        self._moves: dict[str, MoveBudget] = {}
        self._accounts = [self._account(account) for account in config.accounts]
        self.facade = Facade(
            self._accounts,
            store,
            clock,
            config.mode,
            self._loaded,
            loop_lag_ms=self.loop_watch.lag_ms,
        )
        self._hub.subscribe("log", _log_fact)
        self._hub.subscribe("status", self.facade.on_record)

    def _account(self, account: Account) -> AccountGuard:
        adapter = ADAPTERS[account.venue]
        if account.rest_url not in self._servers:
            self._servers[account.rest_url] = (ServerClock(self._clock), adapter.new_address())
            self._moves[account.rest_url] = MoveBudget(self._supervisor)
        prefix = own_prefix(self._store.installation)
        venue = adapter.make(account, prefix, self._clock, *self._servers[account.rest_url])
        return AccountGuard(
            venue,
            store=self._store,
            clock=self._clock,
            supervisor=self._supervisor,
            config=self._config,
            hub=self._hub,
            moves=self._moves[account.rest_url],
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
        is_new = not self._loaded.last_sequence and not self._store.findings
        if is_new:
            # Whoever starts it for the first time is told at once what is wrong.
            await asyncio.gather(*(account.venue.start() for account in self._accounts))
        await socket.start()
        for finding in self._store.findings:
            self._tell_of_store(finding)
        self._supervisor.keep("journal upkeep", self._keep_journal)
        self._supervisor.keep("pauses", Pauses(self._accounts, self._clock).run)
        if isinstance(self._clock, SystemClock):
            # Virtual time stands still while the loop is busy: there it is never late.
            self._supervisor.keep("loop lag", self.loop_watch.run)
        starts = [
            AccountStart(
                make=partial(self._account, account),
                take_up=partial(self._take_up, index),
                bring_up=self._bring_up,
                store=self._store,
                notices=self._notices,
                clock=self._clock,
                loaded=self._loaded,
                account=self._accounts[index],
                is_started=is_new,
            )
            for index, account in enumerate(self._config.accounts)
        ]
        tasks = [self._supervisor.persist(f"start {start.name}", start.run) for start in starts]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._guarding()
        await asyncio.wait(tasks)
        _log.info("guarding", accounts=len(self._accounts), mode=self._config.mode)

    def _take_up(self, index: int, account: AccountGuard) -> None:
        self._accounts[index] = account

    def _tell_of_failure(self, task: str, error: str) -> None:
        text = f"{task} fails ({error}): it is tried again, and what else is guarded goes on"
        self._notices.alarm("task_failed", text)

    def _tell_of_store(self, finding: Finding) -> None:
        """Pass the store's own troubles on; their end is no alarm."""
        tell = self._notices.note if finding.code == STORE_WELL else self._notices.alarm
        tell(finding.code, finding.text)

    async def _bring_up(self, account: AccountGuard, loaded: Loaded) -> None:
        """Continue what the store has of an account, compare all of it, then keep watch."""
        name = account.venue.account
        inspection = Inspection(self._store, self._notices, loaded.unreadable)
        reconciler = Reconciler(account, inspection)
        recovery = Recovery(
            account,
            loaded,
            reconciler.apply,
            reconciler.endings.end,
            reconciler.adopt_new,
            inspection=inspection,
        )
        await recovery.run()
        await reconciler.one_pass(full=True, urgent=True)
        self._supervisor.keep(f"stream {name}", account.listen)
        self._supervisor.keep(f"passes {name}", reconciler.run)
        self._supervisor.keep(f"prices {name}", PriceWatch(account).run)
        self._supervisor.keep(f"candles {name}", account.candles.run)
        contact = Contact(
            account.venue,
            self._notices,
            self._clock,
            patience_minutes=float(self._config.guard.no_contact_minutes),
            pass_seconds=float(self._config.guard.full_pass_seconds),
            compared_ms=lambda: reconciler.last_full_ms,
        )
        self._supervisor.keep(f"contact {name}", contact.run)

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
