"""Alembic's scripts, shipped in the package. A released one is never edited."""
