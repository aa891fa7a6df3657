"""Simulation studies: planted cohorts, and whether the audit keeps its promises."""
