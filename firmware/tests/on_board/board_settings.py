"""Settings and memory in their two slots: newest wins, torn writes, damage, restarts. Runs in an empty folder."""

import os

import harness
import settings
from memory import Memory
from slots import Slots, decode, encode

GOOD = {"seq": 1, "role": "breaker", "serial": "GW-000001", "address": 7, "rating": 16}


def clean():
    for name in os.listdir():
        os.remove(name)


def write(name, data):
    with open(name, "wb") as slot:
        slot.write(data)


def read(name):
    with open(name, "rb") as slot:
        return slot.read()


def test_the_newest_valid_slot_wins():
    clean()
    write("x.a", encode({"seq": 4, "v": "a"}))
    write("x.b", encode({"seq": 5, "v": "b"}))
    assert Slots("x").load()["v"] == "b"
    write("x.b", encode({"seq": 5, "v": "b"})[:-1] + b"!")
    slots = Slots("x")
    assert slots.load()["v"] == "a"
    assert slots.damaged


def test_saving_takes_turns_and_counts():
    clean()
    slots = Slots("x")
    assert slots.load() is None
    assert not slots.damaged
    for number in range(1, 6):
        slots.save({"v": number})
        again = Slots("x")
        record = again.load()
        assert (record["seq"], record["v"]) == (number, number)
    assert decode(read("x.a"))["v"] == 5
    assert decode(read("x.b"))["v"] == 4


def test_a_write_cut_at_any_byte_leaves_the_old_or_the_new():
    clean()
    slots = Slots("x")
    slots.load()
    slots.save({"v": 1})
    slots.save({"v": 2})
    new = encode({"v": 3, "seq": 3})
    old = read("x.a")
    for cut in range(len(new) + 1):
        for rest in (b"", b"\xff" * (len(new) - cut), old[cut:]):
            write("x.a", new[:cut] + rest)
            assert Slots("x").load()["v"] in ((2, 3) if cut == len(new) else (2,)), cut


def test_a_board_that_was_cut_saves_on_without_touching_the_good_slot():
    clean()
    slots = Slots("x")
    slots.load()
    slots.save({"v": 1})
    slots.save({"v": 2})
    write("x.a", b"")
    slots = Slots("x")
    assert slots.load()["v"] == 2
    slots.save({"v": 3})
    assert decode(read("x.b"))["v"] == 2
    assert Slots("x").load()["v"] == 3


def test_what_is_no_record_is_none():
    for line in (b"", b"{}", b"[1]\n00000000", b'{"seq":1}\nxyz', b'{"seq":1}', b'{"seq":1}\n00000000'):
        assert decode(line) is None, line
    assert decode(encode([1])) is None
    assert decode(encode({"seq": "1"})) is None


def test_good_settings_and_their_defaults():
    clean()
    write("settings.b", encode(GOOD))
    board = settings.load()
    assert board.configured
    assert board.trouble == ""
    assert (board.role, board.serial, board.address, board.rating) == ("breaker", b"GW-000001", 7, 16)
    assert (board.baud, board.parity, board.stopbits, board.curve) == (9600, "N", 1, "C")
    assert (board.shunt_uohm, board.divider, board.meter_baud) == (100, 5789, 9600)


def test_settings_from_before_calibration_mean_the_design():
    assert settings.parse(GOOD).factor == (1_000_000, 1_000_000, 1_000_000)
    given = dict(GOOD, current_ppm=-20_000, voltage_ppm=10_000)
    assert settings.parse(given).factor == (980_000, 1_010_000, 989_800)  # the chip's power is off by both
    assert settings.parse(dict(given, power_ppm=5)).factor[2] == 1_000_005


def test_without_settings_it_waits_on_247_at_9600_8n1():
    clean()
    for board in (settings.load(), settings.Settings()):
        assert not board.configured
        assert (board.address, board.baud, board.parity, board.stopbits) == (247, 9600, "N", 1)
    assert settings.load().trouble == "no settings"
    write("settings.a", b"\xff" * 100)
    assert settings.load().trouble == "settings damaged"


def test_each_wrong_value_is_named_and_leaves_it_unconfigured():
    wrong = (
        ("role", "fuse"), ("role", None), ("serial", ""), ("serial", 5), ("serial", "x" * 17), ("address", 0),
        ("address", 248), ("address", "7"), ("baud", 100), ("parity", "O"), ("stopbits", 3), ("rating", 0),
        ("rating", 126), ("rating", True), ("curve", "Z"), ("shunt_uohm", 9),
        ("current_ppm", 100_001), ("voltage_ppm", -100_001), ("power_ppm", 0.5), ("divider", 5), ("meter_baud", 1200),
        ("pins", [1]), ("pins", {"trip": 40}), ("pins", {"trip": "a"}),
    )  # fmt: skip
    for key, value in wrong:
        clean()
        record = dict(GOOD)
        record[key] = value
        write("settings.a", encode(record))
        board = settings.load()
        assert (board.configured, board.address) == (False, 247), key
        assert key in board.trouble or (key == "pins" and "trip" in board.trouble), board.trouble


def test_a_board_that_never_ran_is_cold_and_counts_its_starts():
    clean()
    for boot in (1, 2, 3):
        memory = Memory(0)
        assert (memory.boots, memory.hot) == (boot, 0)
        memory.step(10)


def test_the_memory_comes_back_at_the_hotter_edge():
    clean()
    memory = Memory(0)
    memory.step(10)
    memory.note(20, 0, 0, 0, 5, 610)
    memory.step(30)
    assert Memory(0).hot == 0  # not sooner than 10 s after a write
    memory.step(10011)
    assert Memory(0).hot == 750


def test_a_cooler_conductor_is_believed_after_ten_minutes():
    clean()
    memory = Memory(0)
    memory.note(0, 0, 0, 0, 0, 900)
    for now in range(0, 599000, 1000):
        memory.note(now, 0, 0, 0, 0, 100)
    assert memory.hot == 1000
    memory.note(600001, 0, 0, 0, 0, 100)
    assert memory.hot == 250


def test_a_trip_is_kept_at_once():
    clean()
    memory = Memory(0)
    memory.step(10)
    memory.note(20, 1, 8, 40800, 5, 1000)
    memory.step(21)
    again = Memory(0)
    assert (again.cause, again.trips, again.current, again.energy, again.hot) == (1, 8, 40800, 5, 1000)


def test_energy_is_kept_hourly():
    clean()
    memory = Memory(0)
    memory.note(5, 0, 0, 0, 0, 0)
    memory.step(10)
    before = read("memory.a")
    memory.note(3599999, 0, 0, 0, 777, 0)
    memory.step(3599999)
    memory.note(3600001, 0, 0, 0, 778, 0)
    memory.step(3600001)
    assert Memory(0).energy == 778
    assert read("memory.a") == before


def test_a_damaged_memory_assumes_the_hotter():
    clean()
    write("memory.a", b"garbage")
    memory = Memory(0)
    assert (memory.boots, memory.hot) == (1, 1000)


harness.run(globals())
