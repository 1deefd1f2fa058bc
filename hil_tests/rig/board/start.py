"""What the boot of a virtual board does: the flash becomes the file system, boot.py and main.py run.

Runs in MicroPython, at the top level, so that their names are the REPL's as on the real board.
"""

import gc
import os
import sys

gc.collect()
_before = gc.mem_alloc()

import machine  # noqa: E402
import onewire  # noqa: E402, F401  the ESP32's MicroPython has it built in
import vfs  # noqa: E402

# What an ESP32 has in its flash, and this board in its heap.
gc.collect()
machine._stand_in = gc.mem_alloc() - _before

vfs.umount("/")
vfs.mount(vfs.VfsPosix(os.getenv("GEWU_RIG_FLASH")), "/")
os.chdir("/")
sys.path[:] = ["", ".frozen", "/lib"]
sys.argv[:] = []
machine._tell(b"H\n")

if "boot.py" in os.listdir():
    try:
        execfile("boot.py")  # noqa: F821  MicroPython has it
    except Exception as error:
        sys.print_exception(error)
# After a soft reset in raw mode a board runs boot.py alone: mpremote counts on it.
if os.getenv("GEWU_RIG_MAIN") == "1" and "main.py" in os.listdir():
    execfile("main.py")  # noqa: F821
