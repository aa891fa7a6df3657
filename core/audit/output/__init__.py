"""An audit as document, tables and text."""
