"""What is loaded: lets go of a module that ran for once, so that the heap has its room again. It loads nothing."""

import sys


def forget(*names) -> None:
    """The next import loads it anew. A place in a table holds what was there even after it was emptied: so, None."""
    for name in names:
        if name in sys.modules:
            sys.modules[name] = None
            del sys.modules[name]
