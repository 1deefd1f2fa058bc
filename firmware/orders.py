"""What each command does, once authority has allowed it. Imported with the first command, for most boards get none.

It decides nothing about who may: that is `authority`. Whether a breaker may open or close is the role's decision.
"""

import json
import struct

import settings as settings_slots
from micropython import const
from slots import Slots

# Codes of commands.
OPEN, CLOSE, SETTINGS, CLOCK, RESTART, BEGIN, INSTALL, ABORT = 1, 2, 3, 4, 5, 6, 7, 8

DONE = const(1)
BAD_ARGUMENT = const(10)
NOT_HERE = const(11)
BOARD_REFUSES = const(20)  # and what the role gave

_CLOCK_SET = const(7)  # in the journal
_SECRET = ("key", "signer", "seq")  # never over the bus


def carry_out(service, code: int, argument: bytes, now: int) -> int:
    if code == OPEN or code == CLOSE:
        return _move(service, code, now)
    if code == SETTINGS:
        return _change_settings(argument)
    if code == CLOCK and len(argument) == 4:
        service.note(now, _CLOCK_SET)  # dated by the clock as it stood
        words = struct.unpack(">HH", argument)
        service.panel.set_clock(words[0], words[1])
        return DONE
    if code == RESTART and not argument:
        service.restart(now)
        return DONE
    if code == BEGIN and len(argument) == 36:
        size = struct.unpack_from(">I", argument)[0]
        return DONE if service.new_update(now).begin(size, argument[4:]) else BAD_ARGUMENT
    if code == INSTALL and not argument:
        return DONE if service.inbox.update and service.inbox.update.install() else BAD_ARGUMENT
    if code == ABORT and not argument:
        if service.inbox.update:
            service.inbox.update.close()
        service.inbox.update = None
        return DONE
    return BAD_ARGUMENT if 1 <= code <= ABORT else NOT_HERE


def _move(service, code: int, now: int) -> int:
    if service.settings.role != "breaker" or service.role.attention:
        return NOT_HERE
    if code == OPEN:
        service.role.remote_open(now)
        return DONE
    why = service.role.remote_close(now)
    return BOARD_REFUSES + why if why else DONE


def _change_settings(argument: bytes) -> int:
    """JSON of the keys that change. They count from the next start on."""
    slots = Slots(settings_slots.NAME)
    record = slots.load() or {}
    try:
        changes = json.loads(argument)
        for name, value in changes.items():
            if name in _SECRET:
                return BAD_ARGUMENT
            if isinstance(value, dict) and isinstance(record.get(name), dict):
                record[name].update(value)
            else:
                record[name] = value
        settings_slots.parse(record)
    except (ValueError, TypeError, AttributeError):
        return BAD_ARGUMENT
    slots.save(record)
    return DONE


def address(service, frame: bytes) -> None:
    """A new address for the board with this serial number; only while it is not commissioned."""
    if service.settings.configured or len(frame) < 19 or frame[1] != 17 or not 1 <= frame[18] <= 247:
        return
    serial = service.settings.serial
    if frame[2:18] == serial + bytes(16 - len(serial)):
        Slots("address").save({"address": frame[18]})
        service.rename(frame[18])
