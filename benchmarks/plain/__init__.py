"""Plain pyzmq, one script a role, as the ZeroMQ guide writes them: the counterparts of our roles."""
