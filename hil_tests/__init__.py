"""Hardware in the loop: the virtual village of real firmware, the demo story, and the end-to-end checks."""
