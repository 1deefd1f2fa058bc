"""The uplink's benchmark measures something: its figures exist, with limits and peers. No speed is asserted."""

import pytest

from hil_tests.bench import uplink_drain, uplink_wire

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("encoding", ["json", "compact"])
def test_draining(encoding: uplink_drain.Encoding) -> None:
    """Both raw ways stand beside the drain."""
    rows = {row.metric: row for row in uplink_drain.rows(encoding, 5000)}
    assert rows["messages_per_s"].value > 0
    assert rows["messages_per_s"].peer
    assert rows["values_per_s"].peer
    assert rows["cpu_us_per_message"].peer
    assert rows["share_with_messages_ready"].value > 0
    assert (rows["unpacking_us_per_message"].value > 0) == (encoding == "json")
    assert (rows["share_of_bare_paho"].limit, rows["times_one_object_each"].limit) == (0.8, 20.0)


def test_bytes_on_the_wire() -> None:
    """Compact costs a fraction of JSON, also in the first seconds."""
    rows = uplink_wire.rows(2.0)
    compact, json = rows[0].value, rows[2].value
    assert 0 < compact < json
    assert [row.limit for row in rows] == [3.0, 2.0, None, None]
