"""The stand-ins as charms: deployed by a real Juju under the real names, for integration tests.

`charm` is the charm, `unit_host` what a stand-in sees of its unit, `charm_file` makes the file
that `juju deploy` takes. What a stand-in does is not here: see `rehearsal.standins`.
"""
