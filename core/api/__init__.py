"""What a notebook or a script imports, as `from core import audit_predictions`; pages and commands call the same."""
