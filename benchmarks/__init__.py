"""Reelflow against the scripts that people write: ratios, each measured in one run."""
