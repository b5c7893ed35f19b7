"""Every plan, with every fault at every moment: what must hold then holds, or this says where.

`python -m tests.exploration` explores in full, `make test` a sample of it. An exploration is a
walk along an operation that runs in memory; at every moment at which something can go wrong the
process forks: in the child it goes wrong and the operation carries on, the parent walks on
unharmed. So every run shares its past with the others, and none needs to be set up.
"""
