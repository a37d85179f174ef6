"""A stand-in for the worker: protocol version 1 with canned answers and failures on request."""
