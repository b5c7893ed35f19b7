"""The actions: what each checks, stores and answers."""
