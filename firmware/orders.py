"""What each command does, once authority has allowed it. Imported with the first command, for most boards get none.

It decides nothing about who may: that is `authority`. Whether a breaker may open or close is the role's decision.
"""

import json
import os
import struct

from loaded import forget
from micropython import const
from slots import Slots

# Codes of commands.
_OPEN = const(1)
_CLOSE = const(2)
_SETTINGS = const(3)
_CLOCK = const(4)
_RESTART = const(5)
_BEGIN = const(6)
_INSTALL = const(7)
_ABORT = const(8)
_WIPE = const(9)

_DONE = const(1)
_BAD_ARGUMENT = const(10)
_NOT_HERE = const(11)
_BOARD_REFUSES = const(20)  # and what the role gave

_CLOCK_SET = const(7)  # in the journal
_SECRET = ("key", "signer", "seq")  # never over the bus
# Whose files a board that is retired forgets, by the part before the dot; firmware and start record stay.
_FORGOTTEN = ("settings", "address", "counter", "memory", "journal", "update")


def carry_out(service, code: int, argument: bytes, now: int) -> int:
    if code == _OPEN or code == _CLOSE:
        return _move(service, code, now)
    if code == _SETTINGS:
        return _change_settings(argument)
    if code == _CLOCK and len(argument) == 4:
        service.note(now, _CLOCK_SET)  # dated by the clock as it stood
        words = struct.unpack(">HH", argument)
        service.panel.set_clock(words[0], words[1])
        return _DONE
    if code == _RESTART and not argument:
        service.restart(now)
        return _DONE
    if code == _BEGIN and len(argument) == 36:
        size = struct.unpack_from(">I", argument)[0]
        return _DONE if service.new_update(now).begin(size, argument[4:]) else _BAD_ARGUMENT
    if code == _INSTALL and not argument:
        return _DONE if service.inbox.update and service.inbox.update.install() else _BAD_ARGUMENT
    if code == _ABORT and not argument:
        service.end_update()
        return _DONE
    if code == _WIPE and not argument:
        service.end_update()
        service.wipes = True  # at its end, when nothing is written any more
        service.restart(now)
        return _DONE
    return _BAD_ARGUMENT if 1 <= code <= _WIPE else _NOT_HERE


def _move(service, code: int, now: int) -> int:
    if service.role.attention or not hasattr(service.role, "remote_open"):
        return _NOT_HERE
    if code == _OPEN:
        service.role.remote_open(now)
        return _DONE
    why = service.role.remote_close(now)
    return _BOARD_REFUSES + why if why else _DONE


def _change_settings(argument: bytes) -> int:
    """JSON of the keys that change. They count from the next start on."""
    import settings

    forget("settings", "protection_settings")  # loaded for this only
    slots = Slots(settings.NAME)
    record = slots.load() or {}
    try:
        changes = json.loads(argument)
        for name, value in changes.items():
            if name in _SECRET:
                return _BAD_ARGUMENT
            if isinstance(value, dict) and isinstance(record.get(name), dict):
                record[name].update(value)
            else:
                record[name] = value
        settings.parse(record)
    except (ValueError, TypeError, AttributeError):
        return _BAD_ARGUMENT
    slots.save(record)
    return _DONE


def wipe() -> None:
    """What this board was is gone from its flash: settings with its key, address, counts, journal, half an update."""
    for name in os.listdir():
        if name.split(".")[0] in _FORGOTTEN and not name.endswith((".mpy", ".py")):
            with open(name, "r+b") as file:
                for _ in range(0, os.stat(name)[6], 64):
                    file.write(bytes(64))
            os.remove(name)


def readdress(service, frame: bytes) -> None:
    """A new address for this board, which the frame names by its serial number and which is not commissioned."""
    if len(frame) < 19 or frame[1] != 17 or not 1 <= frame[18] <= 247:
        return
    Slots("address").save({"address": frame[18]})
    service.rename(frame[18])
