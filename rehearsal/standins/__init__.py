"""Stand-ins of the charms that the coordinator meets: maas-region, postgresql, s3-integrator.

They keep the real charms' rules, refusals, messages and result formats, traps included, and
write to S3 what the real ones write. Each is **written once and hosted twice**: in the model in
memory (`agent`), and by thin charms on a real Juju. So a stand-in keeps nothing in itself: what
it remembers lies in its peer relation, and `host.Host` is all that it knows of the outside.

Read `host` first, then `postgresql` or `maas_region`. What takes how long, and what goes wrong,
is said in `behaviour`.
"""
