"""The tables, as the newest migration leaves them. Times are Unix milliseconds."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from trailstop.storage.types import Money

metadata = MetaData()

# SQLite numbers rows by itself only where the column's type is exactly INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
)

active_positions = Table(
    "active_positions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("exchange", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("position_side", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("direction", Text, nullable=False),
    Column("entry_price", Money, nullable=False),
    Column("quantity", Money, nullable=False),
    Column("current_stop_loss", Money),
    Column("trailing_percent", Money),
    Column("status", Text, nullable=False),
    Column("phases", Text, nullable=False),
    Column("close_cause", Text),
    Column("exit_price", Money),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    UniqueConstraint(
        "account", "exchange", "symbol", "position_side", "epoch", name="uq_position_epoch"
    ),
)

trailing_stop_state = Table(
    "trailing_stop_state",
    metadata,
    Column("id", Id, primary_key=True),
    Column("position_id", ForeignKey("active_positions.id"), nullable=False, unique=True),
    Column("symbol", Text, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("is_activated", Boolean, nullable=False),
    Column("phase", Text, nullable=False),
    Column("highest_price", Money),
    Column("lowest_price", Money),
    Column("current_stop_price", Money),
    Column("activation_price", Money),
    Column("callback_rate", Money),
    Column("update_count", Integer, nullable=False),
    Column("last_update_time", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Column("checksum", Text),
)

stop_moves = Table(
    "stop_moves",
    metadata,
    Column("id", Id, primary_key=True),
    Column("position_id", ForeignKey("active_positions.id"), nullable=False, index=True),
    Column("from_price", Money),
    Column("to_price", Money, nullable=False),
    Column("reason", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("acknowledged_at", BigInteger, nullable=False),
    Column("unprotected_ms", BigInteger),
    Column("loosened_ms", BigInteger),
    Column("client_order_id", Text, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("position_id", ForeignKey("active_positions.id"), primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("count", Integer, nullable=False),
)

intents = Table(
    "intents",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("position_side", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("role", Text),
    Column("price", Money),
    Column("quantity", Money),
    Column("generation", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("order_id", Text),
    Column("at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("payload", Text, nullable=False),
    Column("checksum", Text),
    Index("ix_intents_epoch", "epoch"),
    Index("ix_intents_state", "state"),
)

journal = Table(
    "journal",
    metadata,
    Column("sequence", Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("position_id", ForeignKey("active_positions.id")),
    Column("payload", Text, nullable=False),
    Index("ix_journal_position", "position_id", "sequence"),
    # A number that a reader has seen is never used again, also after the newest row was pruned.
    sqlite_autoincrement=True,
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
