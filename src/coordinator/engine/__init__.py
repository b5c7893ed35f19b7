"""The engine: the record of an operation, its steps, and what advances them."""
