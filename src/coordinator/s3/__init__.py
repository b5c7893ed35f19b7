"""The adapter that answers for `ports.ObjectStore`: S3, and all that it can refuse."""
