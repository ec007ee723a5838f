"""How fast it is: side by side with plain pyzmq and with what a user would pick instead (`make bench`)."""
