"""MAAS' own API: what the site's database says, as MAAS would answer it."""
