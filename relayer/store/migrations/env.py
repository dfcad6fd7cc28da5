"""Alembic runs this for each command: on the connection, and in the transaction, that :mod:`relayer.store.schema` gives."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
