"""Altair charts: a tidy table in, a chart out."""
