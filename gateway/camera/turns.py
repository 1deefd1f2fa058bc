"""One look at a time, from the camera's frame to the stills of its events: those who wait hold a frame and no picture.

All cameras of a gateway are threads of one process whose memory is bounded, and a storm floods many of them at once.
"""

import threading

IN_TURN = threading.RLock()
