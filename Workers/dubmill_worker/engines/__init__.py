"""The engines: each wraps one model runtime behind the same small interface."""
