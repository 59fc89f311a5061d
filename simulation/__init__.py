"""The simulator: whole servers, clients, network and store in one process, replayable from a seed."""
