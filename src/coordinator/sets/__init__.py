"""Backup sets: their manifests, the catalogue that lists them, and which of them are kept."""
