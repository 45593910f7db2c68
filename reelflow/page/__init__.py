"""Pages that a person looks at: one for each run, an index for a batch, and a gallery that serves them."""
