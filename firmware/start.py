"""Chooses what starts: the newest image that proved itself, an update on trial, or safe mode.

Root holds the image from the factory; updates lie in the folders a and b. The record "start" in two slots says
which is in use, which is on trial, and how many starts failed. A start is pending until the application calls it
proven. It lies in the root beside main.py and is never updated, so it does very little.
"""

import gc
import sys
import time

import board
import micropython
from micropython import const
from slots import Slots

NAME = "start"
_MOST_FAILURES = const(3)
_POWER = const(1)  # cause of a reset


def judge(record: dict, cause: int):
    """Note this start in the record; (folder to start from, safe mode)."""
    pending = record.get("pending", False)
    record["pending"] = True
    if record.get("trial") and (record.get("tried") or pending):
        # The update had its start and did not prove itself: back to what was there before.
        record["trial"] = ""
        record["tried"] = False
        record["returned"] = record.get("returned", 0) + 1
        record["fails"] = 0
    elif cause == _POWER:
        record["fails"] = 0  # a cut of power is nobody's fault, and a person may want another try
    elif pending:
        record["fails"] = record.get("fails", 0) + 1
    if record.get("trial"):
        record["tried"] = True
        return record["trial"], False
    if record.get("fails", 0) >= _MOST_FAILURES:
        record["pending"] = False
        return "", True
    return record.get("image", ""), False


def proven(version=None) -> None:
    """This start is good, and an update on trial with it; `version` becomes the oldest that may still come."""
    slots = Slots(NAME)
    record = slots.load() or {}
    record["pending"] = False
    record["fails"] = 0
    if record.get("trial"):
        record["image"] = record["trial"]
        record["trial"] = ""
        record["tried"] = False
        record["floor"] = version
    slots.save(record)


def run() -> None:
    slots = Slots(NAME)
    record = slots.load() or {}
    folder, safe = judge(record, board.reset_cause())
    try:
        slots.save(record)
    except OSError as error:
        print("start not noted:", error)  # a full flash must not keep it from protecting
    restart = board.restart
    if folder:
        sys.path.insert(0, "/" + folder)
        for name in ("board", "slots"):
            sys.modules.pop(name)  # theirs come from the folder
    micropython.opt_level(3)  # as the build compiles: no line numbers, for they fill the heap
    gc.threshold(1024)  # what is loaded lies close together, and the room that is left is in one piece
    try:
        import app

        app.main(safe, folder, record)
        proven()  # a person stopped it
    except Exception as error:
        sys.print_exception(error)
        time.sleep(1)  # for a person at the REPL
        restart()
