"""What of the documentation is written by a program: `make reference`.

A page keeps what is written between two comments that name it, and what is around them is
written by hand. `contents` says what there is to be written, `pages` puts it in its place.
"""
