"""Frames counted in a stream of bytes."""

from hypothesis import given
from hypothesis import strategies as st

from pyshare.net.frames import FrameCounter
from tests.net.scripted import raw_frame

REQUEST = b"GET /codespace/tmp-x/ HTTP/1.1\r\nHost: x\r\n\r\n"


@given(st.lists(st.sampled_from([0, 1, 125, 126, 300, 65_535, 65_536, 70_000]), max_size=5), st.data())
def test_each_fragment_counts_once_however_the_bytes_arrive_and_whole_messages_do_not(
    lengths: list[int], data: st.DataObject
) -> None:
    stream = REQUEST + b"".join(raw_frame(1, b"\r" * length, last=length == 1) for length in lengths)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    counter = FrameCounter()
    parts = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert sum(map(counter.count, parts)) == len(lengths) - lengths.count(1)


def test_a_stream_of_pongs_counts_each_of_them() -> None:
    counter = FrameCounter()
    assert counter.count(REQUEST) == 0
    assert counter.count(b"\x8a\x80abcd" * 682) == 682


def test_a_request_without_an_end_has_no_frames() -> None:
    assert FrameCounter().count(b"\x8a\x80" * 5000) == 0
