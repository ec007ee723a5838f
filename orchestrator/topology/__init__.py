"""Text -> topology: the file read with places, checked against what ZeroMQ and the roles allow."""
