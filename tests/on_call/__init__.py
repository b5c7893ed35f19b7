"""Failures as an operator on call meets them: what is printed, what is typed, how it ends.

`night` is a site in memory, with the real plans, the real charm's status and actions, and the
rehearsal's `juju` command. `cases` has the failures, each once: the tests play them and look at
the site, and `make reference` writes the table of `docs/reference/statuses.md` from them.
"""
