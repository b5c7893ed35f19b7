"""What must hold before a backup and before a restore."""
