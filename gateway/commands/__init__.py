"""Commands to breakers: who may order what, what stands against it, and the record of it. Contract section 6."""
