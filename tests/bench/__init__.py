"""How fast the coordinator is, as numbers: `make bench`.

The numbers come from the embedded model, where the charm's code, the controller's API and S3 are
reached as in production and the other charms' work takes as long as it is told to.

- `recording` notes what happens, finer than the coordinator's own record does;
- `dispatch_cost`, `reactions` and `critical_path` each measure one thing in what was noted;
- `restore` sets restore-all beside `runbook`, what a tireless hand would do;
- `listing` sets list-backups beside the way of maas-region, on a `full_repository`;
- `story` tells what each dispatch did; `figures` prints numbers beside their aims.

Nothing here fails because something is slow: machines differ, and others use them.
"""
