"""What a user would pick instead, a module each: how it is run, and what is read of it."""
