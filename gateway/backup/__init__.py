"""The data as a whole in one file: made while the gateway works, kept elsewhere, restored and verified."""
