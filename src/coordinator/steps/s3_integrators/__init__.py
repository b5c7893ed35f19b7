"""Steps on the s3-integrators: where they lead, and whether they can be configured."""
