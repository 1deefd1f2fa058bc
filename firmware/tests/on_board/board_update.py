"""An update from its first block to its trial: resuming, signatures, versions, cuts. Runs in an empty folder."""

import os
from hashlib import sha256

import harness
import signed
import start
from slots import Slots
from update import Update

# States, and why it failed.
RECEIVING, READY, FAILED = 2, 4, 5
DAMAGED, FORGED, OLDER = 2, 3, 4
SIGNER = signed.signer()
FILES = [("app.mpy", b"M" * 700), ("bl0942.mpy", bytes(range(250)) * 3)]
BUNDLE = signed.bundle(FILES)


def clean():
    for name in os.listdir():
        if name in ("a", "b"):
            for inside in os.listdir(name):
                os.remove(name + "/" + inside)
            os.rmdir(name)
        else:
            os.remove(name)


def begun(data=BUNDLE, image="", version=b"0.1.0", signer=SIGNER):
    one = Update(signer, version, image, 0)
    assert one.begin(len(data), sha256(data).digest())
    turn(one)
    return one


def turn(one, count=400):
    for now in range(count):
        one.step(now * 20)


def give(one, data, numbers=None):
    padded = data + bytes(240)
    for block in numbers if numbers is not None else range(one.blocks):
        assert one.take(block, padded, block * 240) == 0, block
        one.step(0)


def outcome(data, **more):
    clean()
    one = begun(data, **more)
    give(one, data)
    assert one.install()
    turn(one)
    return one.state, one.trouble


def read(path):
    with open(path, "rb") as file:
        return file.read()


def test_a_good_bundle_gets_ready_for_its_trial():
    assert outcome(BUNDLE) == (READY, 0)
    for name, data in FILES:
        assert read("a/" + name) == data
    record = Slots("start").load()
    assert record["trial"] == "a"
    assert not record["pending"]
    assert "update.log" not in os.listdir()


def test_the_running_folder_is_never_touched():
    clean()
    os.mkdir("b")
    with open("b/app.mpy", "wb") as file:
        file.write(b"running")
    one = begun(image="b")
    give(one, BUNDLE)
    one.install()
    turn(one)
    assert one.state == READY
    assert read("b/app.mpy") == b"running"
    assert read("a/app.mpy") == FILES[0][1]


def test_what_was_in_the_other_folder_goes():
    clean()
    os.mkdir("a")
    with open("a/old.mpy", "wb") as file:
        file.write(b"old")
    one = begun()
    give(one, BUNDLE)
    one.install()
    turn(one)
    assert sorted(os.listdir("a")) == ["app.mpy", "bl0942.mpy"]


def test_every_byte_that_is_tampered_with_is_found():
    for at in list(range(40)) + list(range(40, len(BUNDLE), 61)):
        bad = bytearray(BUNDLE)
        bad[at] ^= 4
        state, trouble = outcome(bytes(bad))
        assert state == FAILED, at
        assert trouble in (DAMAGED, FORGED), (at, trouble)
        assert not (Slots("start").load() or {}).get("trial"), at


def test_other_signatures_are_forgeries():
    manifest_only = signed.sign(b"something else")
    assert outcome(signed.bundle(FILES, signature=manifest_only)) == (FAILED, FORGED)
    assert outcome(signed.bundle(FILES, signature=b"\xff" * 256)) == (FAILED, FORGED)
    assert outcome(signed.bundle(FILES, signature=b"\0" * 255 + b"\1")) == (FAILED, FORGED)
    assert outcome(signed.bundle(FILES, signature=bytes(128))) == (FAILED, FORGED)
    assert outcome(BUNDLE, signer="") == (FAILED, FORGED)


def test_older_versions_are_refused():
    assert outcome(BUNDLE, version=b"0.2.0") == (READY, 0)
    assert outcome(BUNDLE, version=b"0.2.1") == (FAILED, OLDER)
    assert outcome(signed.bundle(FILES, version="0.10.0"), version=b"0.9.9") == (READY, 0)
    clean()
    Slots("start").save({"floor": "0.3.0"})  # a newer one was proven before
    one = begun()
    give(one, BUNDLE)
    one.install()
    turn(one)
    assert (one.state, one.trouble) == (FAILED, OLDER)


def test_names_that_are_no_modules_are_refused():
    for name in ("main.py", "start.mpy", "../app.mpy", "settings.a", "a/b.mpy", ".mpy.mpy", "App.mpy"):
        state = outcome(signed.bundle([(name, b"x")]))
        assert state == (FAILED, DAMAGED), name


def test_blocks_come_in_any_order_and_the_bitmap_shows_which_are_missing():
    clean()
    one = begun()
    bitmap = bytearray(4)
    give(one, BUNDLE, reversed(range(1, one.blocks)))
    assert one.missing(0, 1, bitmap, 0) == 0
    assert (bitmap[0], one.left) == (0x80, 1)
    assert not one.install()
    assert one.state == RECEIVING
    give(one, BUNDLE, (0, 0, 3))
    one.missing(0, 2, bitmap, 0)
    assert bytes(bitmap) == bytes(4)
    assert one.missing(29, 2, bitmap, 0) == 2
    assert one.take(one.blocks, BUNDLE, 0) == 2
    assert one.install()
    turn(one)
    assert one.state == READY


def test_a_full_queue_is_busy_and_says_no_more_than_it_has():
    clean()
    one = begun()
    codes = [one.take(block, BUNDLE, 0) for block in range(6)]
    assert codes == [0, 0, 0, 0, 6, 6]
    assert one.left == one.blocks
    one.step(0)
    assert one.left == one.blocks - 4


def test_it_resumes_after_a_restart_for_the_same_bundle_only():
    clean()
    one = begun()
    give(one, BUNDLE, (0, 2, 5))
    one.close()
    again = begun()
    assert again.left == again.blocks - 3
    give(again, BUNDLE)
    again.install()
    turn(again)
    assert again.state == READY
    clean()
    one = begun()
    give(one, BUNDLE, (0, 2, 5))
    one.close()
    other = signed.bundle(FILES, version="0.3.0")
    assert begun(other).left == (len(other) + 239) // 240


def test_a_log_cut_inside_a_record_starts_anew():
    clean()
    one = begun()
    give(one, BUNDLE, (0, 1))
    one.close()
    with open("update.log", "ab") as log:
        log.write(b"half a record")
    assert begun().left == one.blocks


def test_a_bundle_copied_over_usb_is_taken():
    clean()
    with open("update.bin", "wb") as file:
        file.write(BUNDLE)
    one = Update(SIGNER, b"0.1.0", "", 0)
    one.from_file("update.bin")
    turn(one)
    assert (one.state, one.trouble) == (READY, 0)
    assert "update.bin" not in os.listdir()


def test_sizes_beyond_all_bounds_are_refused():
    one = Update(SIGNER, b"0.1.0", "", 0)
    assert not one.begin(0, bytes(32))
    assert not one.begin(477 * 240 + 1, bytes(32))


def test_a_start_on_trial_that_is_not_proven_returns_to_the_one_before():
    record = {"image": "a", "trial": "b", "tried": False, "pending": False}
    assert start.judge(record, 2) == ("b", False)
    assert start.judge(record, 3) == ("a", False)
    assert (record["trial"], record["returned"]) == ("", 1)
    record = {"image": "", "trial": "a", "tried": False, "pending": False}
    assert start.judge(record, 2) == ("a", False)
    assert start.judge(record, 1) == ("", False)  # a cut of power is no proof either


def test_a_trial_that_is_proven_stays():
    clean()
    record = {"image": "a", "trial": "b", "tried": False, "pending": False}
    start.judge(record, 2)
    Slots("start").save(record)
    start.proven("0.2.0")
    record = Slots("start").load()
    assert (record["image"], record["trial"], record["floor"]) == ("b", "", "0.2.0")
    assert start.judge(record, 3) == ("b", False)


def test_three_failed_starts_make_safe_mode_and_power_gives_another_try():
    record = {"image": "a"}
    for _ in range(3):
        assert start.judge(record, 3) == ("a", False)
    assert start.judge(record, 3) == ("", True)
    assert start.judge(record, 3) == ("", True)  # a restart alone is not enough
    assert start.judge(record, 1) == ("a", False)
    for _ in range(5):
        assert start.judge(record, 1) == ("a", False)  # nobody's fault


harness.run(globals())
