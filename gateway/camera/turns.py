"""Whoever takes much memory for a moment takes turns: a frame that is converted, a still that is blurred.

All cameras of a gateway are threads of one process whose memory is bounded, and a storm floods many of them at once.
"""

import threading

IN_TURN = threading.Lock()
