"""What people read: the status, and what the actions print."""
