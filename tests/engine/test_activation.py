"""When trailing begins: by gain, by price, by time, at once."""

from __future__ import annotations

from tests.engine.story import TAKER, D, check, policy
from trailstop.domain.policy import ProfitShare
from trailstop.domain.position import Fees

BARE = {"breakeven_at_percent": None, "backstop_percent": None}


def test_by_gain_a_touch_counts() -> None:
    check(
        """
        open long 100
        price 100     place 98
        ack
        price 101.49  hold not_activated phase waiting
        price 101.5   move 101 trail phase active peak 101.5   # 101.5 − 0.5 % = 100.9925
        """,
        policy(**BARE),
    )
    check(
        """
        open short 100
        price 100     place 102
        ack
        price 98.51   hold not_activated phase waiting
        price 98.5    move 98.99 trail phase active peak 98.5   # 98.5 + 0.5 % = 98.9925
        """,
        policy(**BARE),
    )


def test_by_price() -> None:
    at_105 = policy(activation_price="105", **BARE)
    check("open long 100\n bar 104.99  place 98\n ack\n bar 105  move 104.48 phase active", at_105)
    at_95 = policy(activation_price="95", **BARE)
    check("open short 100\n bar 95.01  place 102\n ack\n bar 95  move 95.47 phase active", at_95)


def test_zero_activates_with_the_first_accepted_price_also_at_a_loss() -> None:
    zero = policy(activation_percent="0", **BARE)
    check("open long 100\n price 99  place 98.51 trail peak 99\n ack phase active", zero)
    check("open short 100\n price 101  place 101.5 trail peak 101\n ack phase active", zero)


def test_on_a_net_basis_fees_and_funding_come_off_first() -> None:
    # Fees 0.05 % in, 0.05 % of the price out, funding 0.2: 1.5 % net need 101.8009…
    net = policy(gain_basis="net", **BARE)
    check(
        """
        open long 100 funding 0.2
        price 100      place 98
        ack
        price 101.80   hold not_activated
        price 101.81   move 101.31 phase active
        """,
        net,
        fees=TAKER,
    )
    check(
        """
        open short 100 funding 0.2
        price 100      place 102
        ack
        price 98.21    hold not_activated
        price 98.20    move 98.69 phase active
        """,
        net,
        fees=TAKER,
    )


def test_funding_received_is_no_gain() -> None:
    net = policy(gain_basis="net", **BARE)
    check(
        "open long 100 funding -5\n price 101.49  place 98\n ack  phase waiting", net, fees=Fees()
    )


TIMED = policy(activation_after_minutes="10", **BARE)


def test_by_time_the_peak_starts_at_the_price_of_that_moment() -> None:
    check(
        """
        open long 100 opened 0
        1s price 101    place 98
        1s ack          wake 600s
        2s price 101.4
        599s price 100.5 hold not_activated wake 600s
        600s time       move 100 trail phase active peak 100.5   # 99.9975, snapped up
        """,
        TIMED,
    )
    check(
        """
        open short 100 opened 0
        1s price 99     place 102
        1s ack          wake 600s
        599s price 99.5 hold not_activated wake 600s
        600s time       move 99.99 trail phase active peak 99.5  # 99.9975, snapped down
        """,
        TIMED,
    )


def test_by_time_with_a_price_at_that_moment() -> None:
    check(
        "open long 100 opened 0\n price 101  place 98\n ack\n 600s price 101.2  move 100.7", TIMED
    )


def test_by_time_only_above_the_gain_that_is_asked_for() -> None:
    check(
        """
        open long 100 opened 0
        price 100       place 98
        ack             wake 600s
        600s time       hold not_activated wake never     # a gain of 0.0 is not above 0.0
        601s price 100  hold not_activated wake never
        602s price 100.01  move 99.51 phase active
        """,
        TIMED,
    )


def test_age_counts_from_the_adoption_where_the_opening_is_not_known() -> None:
    check("100s open long 100\n 101s price 101  place 98\n 101s ack wake 700s", TIMED)


def test_time_does_not_activate_what_is_paused_or_crossed_or_gone() -> None:
    check("open long 100\n price 101  place 98\n ack\n pause wake never\n 700s time", TIMED)
    check(
        """
        open long 100
        price 101   place 98
        ack
        bar 98      hold crossed wake 5s
        600s triggered wake 605s
        601s time   phase triggered
        """,
        TIMED,
    )
    check(
        """
        open long 100
        price 100    place 98
        ack
        price 100.8  move 100.2 breakeven
        refused other alarm stop_refused
        1s price 100.1 hold crossed          # beyond the exact stop, at a gain of 0.1
        600s time    hold crossed phase waiting wake never
        """,
        policy(
            activation_after_minutes="10",
            breakeven_offset_percent="0.2",
            backstop_percent=None,
            on_cross="hold",
        ),
    )


def test_what_was_activated_stays_so() -> None:
    check(
        """
        open long 100
        price 100    place 98
        ack
        price 101.5  move 101
        ack
        price 101.1  phase active
        """,
        policy(**BARE),
    )


def test_a_share_of_the_gain_that_must_be_net_positive_waits_for_the_fees() -> None:
    trail = check(
        "open long 100\n price 100.15  place 98\n ack hold not_better phase active",
        policy(activation_percent="0", distance=ProfitShare(D("0.5")), **BARE),
        fees=TAKER,
    )
    assert trail.peak == D("100.15")
