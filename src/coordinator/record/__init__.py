"""Where the record of an operation is kept: the databag, and its history in S3."""
