"""How speech is recognised in batches."""
