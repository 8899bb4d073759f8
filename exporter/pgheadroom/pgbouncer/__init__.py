"""Asks a PgBouncer at its console; it logs in and reads errors as `postgres` does."""
