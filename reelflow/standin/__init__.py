"""The embedded stand-in queue: the same wire as the real one, and pictures made with ffmpeg instead of a model."""
