"""Thin Prefect tasks over the plain library."""
