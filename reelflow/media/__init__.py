"""Film: probing, geometry, ffmpeg commands and the one place that runs them."""
