"""The reference receiver: an independent subscriber that proves, from the numbers alone, that nothing is missing."""
