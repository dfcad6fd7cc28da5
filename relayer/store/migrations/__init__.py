"""Alembic's folder: how the tables became what they are. Each file of ``versions`` is frozen once it is released."""
