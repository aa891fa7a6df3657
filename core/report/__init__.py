"""Comparison reports from the same tables and charts as the pages."""
