"""From a user's table or arrays to aligned predictions."""
