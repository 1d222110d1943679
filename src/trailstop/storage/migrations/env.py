"""Alembic's entry: it runs on the store's own connection, inside its transaction."""

from __future__ import annotations

from alembic import context

from trailstop.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
