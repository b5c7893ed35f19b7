"""Steps on the units of maas-region: their files backup, its restore, and their services."""
