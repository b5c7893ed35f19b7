"""A small Juju to rehearse on: the real charm, a model in one process, no Juju needed.

- `clock` and `model`: time, and the Juju model itself, in memory;
- `standins/`: maas-region, postgresql and s3-integrator as far as the coordinator meets them;
- `agent/`: runs the real charm as a unit agent would, one process a dispatch;
- `controller/`: serves the model over the controller's websocket API (Juju 3.6 or 4.0);
- `direct`: the same model as a `JujuModel` port, without a wire, for tests;
- `real/`: a real PostgreSQL and pgBackRest below the stand-ins, when asked for;
- `s3_server`: moto's S3 server in a process of its own;
- `site`: deploys charmed MAAS; `deployed`: what then stands there; `__main__`: the command line.

Nothing here is shipped in the charm.
"""
