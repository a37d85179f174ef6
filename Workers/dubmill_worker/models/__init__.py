"""The catalogue of models, and how their weights are fetched, assembled and verified."""
