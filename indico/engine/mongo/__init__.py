"""The database: collections, batches, transactions, and the embedded MongoDB."""
