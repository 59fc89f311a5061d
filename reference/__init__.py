"""Files of docs/ that are made from the code: the schema of the protocol, its test vectors, the Python reference."""
