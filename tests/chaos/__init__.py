"""Operations on the embedded model while everything around them dies, hangs, lies and comes back.

- `schedule`: read this first; what a seed makes of an operation's number;
- `faults`: brings the faults about, and heals them; `bent` is a machine that is not well;
- `operator`: begins an operation, follows it, and does what it asks of a person;
- `checks`: what must hold when it has ended;
- `crew`: a site, and the operations that it gets; `figures`: what came of them all.
"""
