"""Reelflow's plain library: film in, job, film out. It knows nothing of Prefect."""
