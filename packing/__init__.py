"""Packs the charm with charmcraft and looks at what came out: `make pack`.

It runs in an environment of its own, which has charmcraft and nothing of the project's.
"""
