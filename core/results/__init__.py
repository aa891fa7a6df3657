"""Finished runs as predictions for the audit, and what pages and reports ask of them."""
