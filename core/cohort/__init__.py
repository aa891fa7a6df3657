"""What a cohort is, and how files become one safely."""
