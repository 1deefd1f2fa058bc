"""The command line: the one place above everything, where the packages are wired together."""
