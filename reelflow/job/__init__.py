"""The remote queue: its words, calls, waiting, and the ledger of what was bought."""
