"""What the two charms leave in S3: pgBackRest's repository and maas-region's files backup."""
