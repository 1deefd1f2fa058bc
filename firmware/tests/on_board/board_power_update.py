"""The power is cut at every operation of the flash while an update comes in, is checked and is put into its folder."""

from hashlib import sha256

import harness
import signed
from ramdisk import World
from slots import Slots
from update import Update

RECEIVING, READY, FAILED = 2, 4, 5  # states
FLASH = 5  # why it failed
FILES = [("app.mpy", b"M" * 500), ("bus.mpy", bytes(range(200)))]
BUNDLE = signed.bundle(FILES)
SIGNER = signed.signer()


def bring(done):
    """From the first block, or from what an earlier try left, to the trial."""
    one = Update(SIGNER, b"0.1.0", "", 0)
    assert one.begin(len(BUNDLE), sha256(BUNDLE).digest())
    turn(one)
    padded = BUNDLE + bytes(240)
    for block in range(one.blocks):
        one.take(block, padded, block * 240)
        turn(one, 2)
    if one.install():
        turn(one)
    one.close()
    if one.state == FAILED:
        assert one.trouble == FLASH, one.trouble
        raise OSError(5)
    done.append(one.state)


def turn(one, most=200):
    for now in range(most):
        one.step(1000 * now)


def whole():
    for name, data in FILES:
        with open("a/" + name, "rb") as file:
            if file.read() != data:
                return False
    return True


def check(done, cut):
    record = Slots("start").load() or {}
    assert record.get("image") == "", cut  # what runs is never forgotten
    if record.get("trial"):
        assert whole(), cut
    else:
        assert not done, cut
        again = []
        bring(again)
        assert again == [READY], cut
        assert whole(), cut


def test_what_is_put_on_trial_is_whole_and_a_cut_update_goes_on():
    world = World(lambda: Slots("start").save({"image": "", "fails": 0}))
    assert world.every_cut(bring, check) > 30


harness.run(globals())
