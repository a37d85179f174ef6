"""The dubmill worker: speech and translation models behind one batch protocol."""

__version__ = "0.1.0"

PROTOCOL = 1
"""Version of the batch protocol; docs/worker-protocol.md describes it."""
