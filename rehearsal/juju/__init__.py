"""The `juju` command of a rehearsal: the commands of the real one that people and tests need.

The command itself is a small `program` on `PATH`. It hands its words to the process that the
rehearsal runs in, over a `line`, and prints the answer. There `command` keeps the table of
commands, `models`, `applications`, `user_secrets` and `tasks` carry them out, and `shown` writes
what they show, for people and as the JSON that the real command writes.
"""
