"""From predictions to findings with evidence."""
