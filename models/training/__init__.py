"""The training of the hazard classifier: runs on a developer's machine, never on a gateway.

Nothing here is imported by `gateway`, `provisioning` or `hil_tests`, and no test of theirs needs it.
"""
