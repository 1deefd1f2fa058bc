"""`python -m gateway` is `gewu`."""

from gateway.cli.main import main

main()
