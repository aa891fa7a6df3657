"""Tests, intervals and verdicts on the estimates."""
