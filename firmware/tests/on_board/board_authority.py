"""Authority: forged, replayed, early and late frames, another device, slowing down."""

import os

import harness
from authority import Authority
from keyed import KEY, SERIAL, command, zeros

DONE, MALFORMED, NO_KEY, LOCKED, FORGED, REPLAYED, EXPIRED, EARLY, LATE = range(1, 10)


def clean():
    for name in os.listdir():
        os.remove(name)


def guard():
    clean()
    return Authority(KEY, SERIAL, 1, zeros, 0)


def test_a_right_frame_is_done_once():
    one = guard()
    frame = command(one.nonce, 1)
    assert one.judge(frame, 10) == DONE
    assert one.judge(frame, 20) == REPLAYED
    assert one.judge(command(one.nonce, 1), 20) == REPLAYED
    assert one.judge(command(one.nonce, 2), 20) == DONE


def test_the_counter_is_kept_before_anything_is_done():
    one = guard()
    frame = command(one.nonce, 7)
    one.judge(frame, 10)
    again = Authority(KEY, SERIAL, 1, zeros, 0)
    assert again.counter == 7
    assert again.judge(command(again.nonce, 7), 10) == REPLAYED
    os.remove("counter.a") if "counter.a" in os.listdir() else os.remove("counter.b")
    one = guard()
    for name in ("counter.a", "counter.b"):
        os.mkdir(name)
    try:
        one.judge(command(one.nonce, 8), 20)
        raise AssertionError("done without a counter")
    except OSError:
        pass
    for name in ("counter.a", "counter.b"):
        os.rmdir(name)


def test_every_changed_bit_is_a_forgery():
    one = guard()
    good = command(one.nonce, 5, argument=b"abc")
    for bit in range(8 * len(good)):
        if bit // 8 == 1:
            continue  # the length: malformed
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        one.waits = False
        assert one.judge(bytes(bad), 10) == FORGED, bit
    one.waits = False
    assert one.judge(good, 10) == DONE


def test_another_key_and_another_device_are_forgeries():
    one = guard()
    assert one.judge(command(one.nonce, 5, key=bytes(32)), 10) == FORGED
    one.waits = False
    assert one.judge(command(one.nonce, 5, serial=b"GW-000002"), 10) == FORGED
    assert one.counter == 0


def test_a_nonce_lives_for_thirty_seconds():
    one = guard()
    old = one.nonce
    one.step(15_000)
    assert one.nonce != old
    assert one.judge(command(old, 1), 29_000) == DONE
    one = guard()
    old = one.nonce
    one.step(15_000)
    assert one.judge(command(old, 1), 30_001) == EXPIRED
    one.step(31_000)
    assert one.judge(command(old, 1), 31_000) == EXPIRED
    assert one.judge(command(b"12345678", 1), 31_000) == EXPIRED


def test_a_frame_acts_within_its_own_window_only():
    one = guard()
    assert one.judge(command(one.nonce, 1, since=20, until=30), 1_900) == EARLY
    assert one.judge(command(one.nonce, 1, since=20, until=30), 3_100) == LATE
    assert one.judge(command(one.nonce, 1, since=20, until=30), 2_500) == DONE


def test_nonces_differ_between_starts_even_without_randomness():
    seen = set()
    for boots in range(1, 20):
        one = Authority(KEY, SERIAL, boots, zeros, 0)
        for now in range(0, 100_000, 15_000):
            seen.add(one.nonce)
            one.step(now + 15_000)
    assert len(seen) == 19 * 7


def test_wrong_tries_slow_down_and_a_right_one_ends_it():
    one = guard()
    waits = []
    now = 0
    for _ in range(8):
        assert one.judge(command(one.nonce, 1, key=bytes(32)), now) == FORGED
        waits.append(one.wait(now))
        assert one.judge(command(one.nonce, 1), now + 500) == LOCKED
        now += 1000 * waits[-1]
        one.step(now)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 64]
    assert one.judge(command(one.nonce, 1), now) == DONE
    one.judge(command(one.nonce, 2, key=bytes(32)), now)
    assert one.wait(now) == 1


def test_nonsense_is_malformed_and_a_board_without_a_key_obeys_nobody():
    one = guard()
    good = command(one.nonce, 1)
    for bad in (b"", good[:-1], good + b"ab", bytes((5, 191)) + good[2:], bytes((5, 3)) + good[2:]):
        assert one.judge(bad, 10) == MALFORMED
    assert one.judge(good + b"\0", 10) == DONE  # filled up to a whole register
    bare = Authority(b"", SERIAL, 1, zeros, 0)
    assert bare.judge(command(bare.nonce, 1, key=b""), 10) == NO_KEY


harness.run(globals())
