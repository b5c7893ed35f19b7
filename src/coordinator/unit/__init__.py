"""What lives on a unit's machine: the pacemaker, and what one dispatch leaves for the next."""
