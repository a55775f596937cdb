"""How a database of an older version is brought up to date, step by step (Alembic)."""

#: The newest step in ``versions``, which this program's tables are.
VERSION = "0007"
