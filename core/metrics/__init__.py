"""Pure functions on arrays: estimates, intervals, tests. No I/O, no torch, no pandas."""
