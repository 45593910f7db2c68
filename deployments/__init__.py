"""What the flows run on."""
