"""Reads a backup set whole and compares it with what is known of it: nothing is held or kept.

    check        what a check of an object's bytes is, and an object to be read
    reading      an object's chunks, downloaded ahead of who takes them
    inspection   objects are read, several at a time; each yields a verdict
    tally        what has been found so far, small enough to be stored and gone on from
    pace         how far it has come, and how fast it goes
    contents     what is to be read of a backup set, and what each object should hold
    archives     maas-region's objects: gzip, tar, JSON, ids
    database     pgBackRest's objects: files, decompressed, against their SHA-1
    wal          segments of WAL, against the SHA-1 in their name and the name itself
    decompression   the one place that knows the libraries for it

Bytes are pushed: a check is fed chunk after chunk, and finishes. What is wrong with the content
is a finding, a sentence that names the object; what is wrong with S3 is raised.
"""
