"""`pyshare top`: what servers are doing, live in a terminal."""
