"""`gewu hil --selftest`: does the suite turn red when the product is broken? Mutants in a copy, each with its test."""
