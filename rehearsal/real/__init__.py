"""Real bodies for stand-ins: PostgreSQL servers, pgBackRest, and MAAS's records and files.

- `programs`: which PostgreSQL and pgBackRest the machine has, and what to install if it has none;
- `account`: who runs them, as PostgreSQL refuses to be root's;
- `keeper`, `processes`: programs that end when who started them does, whatever becomes of it;
- `server`: one PostgreSQL server, `database`: what is said to it in SQL;
- `pgbackrest`: its configuration, and its commands against the embedded S3 server;
- `cluster`: the servers of one application as a `standins.body.Body`;
- `tables`, `installation`: MAAS's records and files, as a `standins.installation.Installation`;
- `contents`: what a restore must bring back, and who may log in then.

Everything lies in one folder and goes with it. What this proves, and what it does not, is in
docs/explanation/real-rehearsal.md.
"""
