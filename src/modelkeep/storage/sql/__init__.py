"""Rows: plain SQL with bound parameters, on SQLite and PostgreSQL alike."""
