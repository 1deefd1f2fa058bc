"""A board's REPL through mpremote's own transport: what it is, what lies on its flash, writing files, a restart.

mpremote is used as the library that it is, so that a board costs no process. All words of the wire end here: what goes
wrong comes out as Trouble. It knows nothing of plans and settings.
"""

import base64
import json
import struct
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from provisioning.calibration import GAINS
from provisioning.trouble import Trouble, look_at_port, of_port

_CHUNK = 3072  # bytes in one statement: 4 kB of text, little beside a heap of 160 kB
_SILENCE_S = 10.0
_LOOK = """
import sys,os,json,machine,binascii,hashlib
def h(n):
    s=hashlib.sha256()
    b=bytearray(512)
    with open(n,'rb') as f:
        while 1:
            k=f.readinto(b)
            if not k:
                break
            s.update(memoryview(b)[:k])
    return binascii.hexlify(s.digest()).decode()
def slot(n):
    try:
        t=open(n,'rb').read()
        i=t.find(b"\\n")
        if int(t[i+1:i+9],16)==binascii.crc32(t[:i])&0xffffffff:
            j=json.loads(t[:i])
            return [n,j["seq"],j["serial"],{k:j[k] for k in KEEP if k in j}]
    except (OSError,ValueError,KeyError,TypeError):
        pass
i=sys.implementation
v=os.statvfs("/")
print(json.dumps({"uid":binascii.hexlify(machine.unique_id()).decode(),"name":i[0],"version":list(i[1])[:3],
"mpy":getattr(i,"_mpy",0)&255,"free":v[1]*v[3],"files":{e[0]:h(e[0]) for e in os.ilistdir("/") if e[1]&0x8000},
"slots":[s for s in (slot("settings.a"),slot("settings.b")) if s]}))
"""
_KEEP = ("rating", "shunt_uohm", "divider", "meter", *GAINS, "signer")  # how it measures, whose updates it takes


@dataclass(frozen=True, slots=True)
class Look:
    """A board as it says it is. `files`: SHA-256 in hex by name; `slots`: (file, seq, serial) of valid settings.

    By those that hold, `measures`: how it measures; `signer`: whose updates it takes (a public key's modulus in hex),
    or nothing.
    """

    uid: str
    name: str
    version: tuple[int, ...]
    mpy: int
    free: int
    files: dict[str, str]
    slots: tuple[tuple[str, int, str], ...]
    measures: dict[str, Any] = field(default_factory=dict)
    signer: str = ""


class Repl:
    """`with Repl(port) as board:` has the board's REPL, its program stopped. Each method raises Trouble."""

    def __init__(self, port: str) -> None:
        look_at_port(port)
        self._port = port
        try:
            self._line = SerialTransport(port, baudrate=115200, timeout=_SILENCE_S)
        except (TransportError, OSError) as error:
            raise of_port(port, BlockingIOError(11, "")) from error

    def __enter__(self) -> "Repl":
        try:
            self._line.enter_raw_repl(soft_reset=True, timeout_overall=_SILENCE_S)
        except (TransportError, OSError) as error:
            self.close()
            raise Trouble("no-micropython", f"no MicroPython answers at {self._port}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the port back."""
        try:
            self._line.close()
        except OSError:
            pass  # it is gone already

    def look(self) -> Look:
        """What the board is and holds."""
        try:
            said = json.loads(self.run(_LOOK.replace("KEEP", repr(_KEEP))))
            held = dict(max(said["slots"], key=lambda slot: int(slot[1]), default=("", 0, "", {}))[3])
            return Look(
                uid=str(said["uid"]),
                name=str(said["name"]),
                version=tuple(said["version"]),
                mpy=int(said["mpy"]),
                free=int(said["free"]),
                files=dict(said["files"]),
                slots=tuple((str(name), int(seq), str(serial)) for name, seq, serial, _how in said["slots"]),
                measures={name: value for name, value in held.items() if name != "signer"},
                signer=str(held.get("signer", "")),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Trouble("wrong-micropython", f"the MicroPython at {self._port} does not say what it is") from error

    def write(self, name: str, data: bytes) -> None:
        """The file `name` in the root of the flash; whole when this returns."""
        self.run(f"from binascii import a2b_base64 as a\nf=open({name!r},'wb')\nw=f.write")
        for at in range(0, len(data), _CHUNK):
            self.run(f"w(a({base64.b64encode(data[at : at + _CHUNK])!r}))")
        self.run("f.close()\nimport os\ngetattr(os,'sync',lambda:0)()")

    def remove(self, names: list[str]) -> None:
        """The files `names`, of which each may be missing."""
        self.run(f"import os\nfor n in {names!r}:\n try:\n  os.remove(n)\n except OSError:\n  pass")

    def wipe(self, names: list[str]) -> None:
        """Overwrite the files `names` with zeros, then remove them; the file system may have kept older cells."""
        self.run(
            f"import os\nfor n in {names!r}:\n s=os.stat(n)[6]\n f=open(n,'r+b')\n z=bytes(256)\n while s>0:\n"
            "  f.write(z[:min(s,256)])\n  s-=256\n f.close()\n os.remove(n)\ngetattr(os,'sync',lambda:0)()"
        )

    def restart(self) -> None:
        """The board starts as from power; its program runs, and this REPL is over."""
        try:
            self._line.exec_raw_no_follow("import machine\nmachine.reset()")
        except (TransportError, OSError, struct.error) as error:
            raise Trouble("unplugged", f"{self._port} went silent") from error

    def forget(self) -> None:
        """Let go of what the program has printed so far."""
        try:
            self._line.serial.reset_input_buffer()
        except OSError as error:
            raise Trouble("unplugged", f"{self._port} went silent") from error

    def lines(self, seconds: float) -> Any:
        """Lines that the running program prints within `seconds`, as bytes."""
        held, end = b"", time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                count = self._line.serial.in_waiting
                held += self._line.serial.read(count) if count else b""
                if not count:
                    time.sleep(0.02)
                *whole, held = held.split(b"\n")
                yield from whole
        except OSError as error:
            raise Trouble("unplugged", f"{self._port} went silent") from error

    def run(self, source: str) -> bytes:
        """What `source` prints on the board."""
        try:
            return bytes(self._line.exec(source))
        except TransportExecError as error:
            if "ENOSPC" in str(error) or "OSError: 28" in str(error):
                raise Trouble("board-full", f"the flash of the board at {self._port} is full") from error
            last = str(error).strip().splitlines()[-1:]
            raise Trouble("not-loaded", f"the board at {self._port} refused ({' '.join(last)})") from error
        except (TransportError, OSError, struct.error) as error:
            raise Trouble("unplugged", f"{self._port} went silent") from error
