"""Steps on PostgreSQL: its units, its passwords, its backup and its restore."""
