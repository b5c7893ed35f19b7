"""What each operation does, what an operator may do with it, and who takes it over."""
