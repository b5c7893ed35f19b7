"""The steps: one package for each thing they work on.

A step's `do` and `undo` get the operation (its settings and facts) and the world, look before
they act, and have at most one effect each time they are entered.
"""
