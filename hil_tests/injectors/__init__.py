"""What puts current, voltage and heat onto a circuit: the rig's own, a test set, a person with a stopwatch."""
