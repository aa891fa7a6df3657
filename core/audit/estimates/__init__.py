"""Estimates of every metric in every group."""
