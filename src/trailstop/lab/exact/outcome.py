"""The trade that a finished drive was."""

from __future__ import annotations

from decimal import Decimal

from trailstop.domain.price import Instrument
from trailstop.lab.exact.book import fill_price
from trailstop.lab.exact.drive import Drive
from trailstop.lab.terms import Costs
from trailstop.lab.trades import Trade


def trade_of(drive: Drive, costs: Costs, instrument: Instrument) -> Trade:
    """Value the exit: slippage on its price, fees both ways, funding as it was paid."""
    opening, exit_ = drive.opening, drive.exit
    assert exit_ is not None, "the drive has ended"
    filled = fill_price(exit_.price, opening.side, costs.slippage_percent, instrument)
    bought, sold = opening.price * opening.quantity, filled * opening.quantity
    fees = bought * costs.entry_fee + sold * costs.exit_fee
    funding: Decimal = drive.trail.position.funding_paid
    return Trade(
        number=opening.number,
        label=opening.label,
        side=opening.side,
        quantity=opening.quantity,
        entry_ms=opening.at_ms,
        entry_price=opening.price,
        exit_ms=exit_.at_ms,
        exit_price=filled,
        cause=exit_.cause,
        crossed=exit_.crossed,
        best=drive.best,
        worst=drive.worst,
        activated_ms=drive.activated_ms,
        safe_ms=drive.safe_ms,
        fees=fees,
        funding=funding,
        net=(sold - bought) * opening.side.sign - fees - funding,
        moves=tuple(drive.moves),
        alarms=tuple(alarm.text for alarm in drive.alarms),
    )
