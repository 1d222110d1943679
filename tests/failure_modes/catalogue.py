"""Every way to fail that has been seen elsewhere, and what this guard does about it.

A test belongs to a mode by its function's name: `test_` and the mode with underscores, alone or
followed by more words. `tested` modes are shown to be met. `impossible` ones cannot happen here,
and their tests prove the reason. `later` ones need parts that do not exist yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["tested", "impossible", "later"]

DASHBOARD = "the issue that brings the dashboard"
WEBHOOKS = "the issue that brings webhooks"
NOTIFICATIONS = "the issue that brings notifications"


@dataclass(frozen=True)
class Mode:
    """One way to fail; `why` is the reason of what is impossible, or what a later one waits for."""

    name: str
    answer: str
    """What is done about it, in a line."""
    state: State = "tested"
    why: str = ""

    @property
    def prefix(self) -> str:
        """How the names of its tests begin."""
        return f"test_{self.name.replace('-', '_')}"


def _impossible(name: str, answer: str, why: str) -> Mode:
    return Mode(name, answer, "impossible", why)


def _later(name: str, answer: str, why: str) -> Mode:
    return Mode(name, answer, "later", why)


SECTIONS: dict[str, tuple[Mode, ...]] = {
    "Replacing and amending the stop": (
        Mode("replace-gap", "the new stop is acknowledged before the old one goes"),
        Mode("cancel-races-trigger", "a cancel that finds nothing asks for a fresh read"),
        Mode("cancel-fails-create-succeeds", "surplus stays known and goes, loosest first"),
        Mode("closeposition-slot-taken", "the stop that trails has a size of its own"),
        Mode("same-price-churn", "nothing is sent where the live stop is right"),
        Mode("amend-not-modified", "a price that stands already is success"),
        Mode("amend-too-late", "a stop that fires is waited for, and its rest is closed"),
        Mode("stale-stop-id", "the exchange's list of stops is what counts, ids are a cache"),
        _impossible(
            "native-trail-handover",
            "the stop stays fixed and the guard moves it",
            "the exchange's own trailing orders are never used",
        ),
    ),
    "Acknowledgements and idempotency": (
        Mode("retry-duplicates", "an unknown outcome is looked up, never sent again"),
        Mode("client-id-collision", "ids continue over restarts and need no clock"),
        Mode("lookup-on-wrong-endpoint", "each order is looked up at the service that owns it"),
        Mode("read-after-write-lag", "a read older than the last write says nothing"),
        Mode("ack-then-rejected", "held is what rests; a loss is answered at once"),
        Mode("cancel-ack-lost", "a cancel is repeated until the stop is known to be gone"),
        Mode("double-filled-event", "sizes come from the exchange, never from adding up fills"),
        Mode("venue-silently-cancels", "each pass reads what rests and restores what is gone"),
    ),
    "Position changes": (
        Mode("orphan-after-close", "stops of ours on a flat leg are removed"),
        Mode("orphan-opens-reverse", "every order can only reduce, and its echo is checked"),
        Mode("partial-entry-fill", "the stop follows the size of the position"),
        Mode("size-increased", "what is added is covered at the same price"),
        Mode("position-flips", "the other side is another epoch with a stop of its own"),
        Mode("flat-versus-unknown", "a failed read changes nothing"),
        Mode("hedge-empty-row", "each row is a leg, whatever its place in the list"),
        Mode("hedge-wrong-side", "the leg that is guarded says which side is sent"),
        Mode("hedge-reduceonly-param", "each mode has its own form of an order that reduces"),
        Mode("scoped-orphan-cleanup", "positions and stops are read with one scope"),
        Mode("liquidation-or-adl", "the exchange's own closes are told by their cause"),
        Mode("stop-beyond-liquidation", "stops keep away from the liquidation price"),
        Mode("dust-position", "what is too small for a stop is told once"),
        Mode("bigger-than-max-market", "one stop rests in as many parts as it takes"),
        Mode("null-quantity-stop", "a stop without a size covers the whole position"),
        Mode("external-position-ignored", "whatever is opened by anybody is adopted"),
        Mode("partial-sl-accumulates", "the position has one stop and it is moved in place"),
    ),
    "The user and other programs on the account": (
        Mode("user-moves-stop", "tighter is the floor, looser is put back once a minute"),
        Mode("user-closes-position", "the epoch ends, its stops go, other legs go on"),
        Mode("dead-mans-switch-kills-stops", "never armed; stops that it took are restored"),
        Mode("two-instances", "a second guard is refused or does no harm"),
        Mode("shared-rate-budget", "the exchange's own count is read, protection has a reserve"),
    ),
    "Venue rules and trigger semantics": (
        Mode("endpoint-migration", "a service that is gone is told loudly"),
        Mode("algo-orders-invisible", "both lists of orders are read before anything is said"),
        Mode("child-order-id", "the order that a stop became is known as its child"),
        Mode("rejected-at-trigger", "the position is closed at market at once"),
        Mode("trigger-direction", "a stop behind the price, on the side that reduces"),
        Mode("mark-versus-last", "trail and stop watch the same price, said in each order"),
        Mode("price-protect-blocks", "never switched on; what does not fire is chased"),
        Mode("gap-through", "one exit, and no second stop on a flat leg"),
        Mode("gte-gtc-vanishes", "a position that reopens has a new stop"),
        Mode("delisting", "the stop stays until the end and the end has its cause"),
        Mode("halt-or-reduce-only-phase", "the live stop stays and moves once trading goes on"),
        Mode("maintenance", "afterwards everything is read before anything is done"),
        Mode("tick-size-change", "the new grid is learned with the first refusal at the latest"),
        Mode("multiplier-or-redenomination", "prices are carried over and trailing pauses"),
        Mode("schema-drift", "a row that cannot be read spoils itself alone"),
        Mode("api-version-sunset", "an account that cannot be read is an alarm"),
    ),
    "Market data": (
        Mode("zero-nan-price", "what is no price is refused and counted"),
        Mode("delta-missing-fields", "what a delta leaves out is unchanged"),
        Mode("pre-entry-high", "prices from before the entry do not count"),
        Mode("stagnant-price", "a price that stands still is compared with another source"),
        Mode("wrong-entry-price", "without a true entry no rule uses one"),
        Mode("thin-book-vs-mark", "a stray print needs to be confirmed"),
    ),
    "Streams and connectivity": (
        Mode("silent-socket", "silence is noticed for each stream, and prices are polled"),
        Mode("listenkey-expired", "a new key at once, and a full read"),
        Mode("listenkey-closed-by-other", "a read that knows more than the stream renews it"),
        Mode("reconnect-gap", "after each connect everything is read"),
        Mode("daily-disconnect", "connections are renewed before the exchange ends them"),
        Mode("reconnect-storm", "pauses grow and have chance in them"),
        Mode("event-order-mixed", "what is older than what is known changes nothing"),
        Mode("slow-consumer", "only the newest price waits, with the high and low since"),
    ),
    "Time and rate limits": (
        Mode("clock-skew", "the exchange's time is estimated and corrected on a refusal"),
        Mode("clock-jump", "pauses are measured by a clock that cannot jump"),
        Mode("dst-naive-time", "times are milliseconds in UTC"),
        Mode("bybit-10006-403", "an account's limit and an address' ban are two things"),
        Mode("order-burst-limit", "what is bare goes first, and the limit is kept"),
    ),
    "Numbers": (
        Mode("rounded-wrong-side", "a stop is rounded towards the market"),
        Mode("scientific-notation", "numbers are written out"),
        Mode("tick-coarser-than-trail", "a distance has at least three ticks"),
        Mode("breakeven-without-costs", "fees and funding are part of breakeven"),
        Mode("percent-fraction-confusion", "the unit is in the name of a setting"),
        Mode("negative-or-zero-stop", "a stop is above zero"),
    ),
    "State, crash and restart": (
        Mode("peak-lost-on-restart", "the trail is kept on disk"),
        Mode("crash-between-accept-and-save", "an order's intent is on disk before it leaves"),
        Mode("db-locked", "guarding goes on from memory"),
        Mode("db-corrupt-or-rolled-back", "found at the start; the exchange tells the rest"),
        Mode("config-changed-while-open", "a live stop is never loosened"),
        Mode("shutdown-cancels-stops", "stops rest on when the guard ends"),
        Mode("acts-before-synced", "nothing is written before all is read"),
        Mode("reconcile-failure-blocks", "each position is compared by itself"),
        Mode("poison-symbol", "a failure stays with its leg"),
        Mode("pagination-missed", "all pages are read, or nothing is known"),
        Mode("double-close", "all exits can only reduce"),
    ),
    "Security and configuration": (
        Mode("excess-permissions", "what a key may do is looked at when the guard starts"),
        Mode("testnet-live-mix", "one setting drives every address"),
        _later("dashboard-no-auth", "there is no dashboard", DASHBOARD),
        _later("webhook-spoof", "there are no webhooks", WEBHOOKS),
        Mode("config-typo", "an unknown setting is an error with a suggestion"),
        _impossible(
            "hot-reload-half-applied",
            "settings are in force from start to end",
            "settings are read once, when the guard starts",
        ),
    ),
    "Alerts, logs and resources": (
        _later("notifier-blocks", "there is no notifier", NOTIFICATIONS),
        _later("alert-lost", "alarms are in the log and the journal", NOTIFICATIONS),
        _later("alert-storm", "each alarm is told once an epoch and kind", NOTIFICATIONS),
        Mode("log-flood", "what repeats is counted, and files are bounded"),
        Mode("loop-blocked", "what blocks runs in threads, and the loop's lag is measured"),
        Mode("shows-protected-when-not", "held is what the exchange has shown lately"),
        Mode("silent-unmanaged", "whatever is not guarded is listed"),
    ),
}
MODES: tuple[Mode, ...] = tuple(mode for modes in SECTIONS.values() for mode in modes)


def mode_of(function: str) -> Mode | None:
    """The mode that a test function belongs to: the longest name that it begins with."""
    fitting = [
        mode for mode in MODES if function == mode.prefix or function.startswith(f"{mode.prefix}_")
    ]
    return max(fitting, key=lambda mode: len(mode.name), default=None)
