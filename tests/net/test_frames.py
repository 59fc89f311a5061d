"""The frames of a client, followed as they pass: what is kept of them, and how many there are."""

from random import Random

import pytest

from pyshare.net.frames import Frames
from tests.net.scripted import raw_frame

REQUEST = b"GET /codespace/x/ HTTP/1.1\r\nHost: here\r\n\r\n"
TEXT, MORE, PING, PONG = 0x1, 0x0, 0x9, 0xA


def followed(data: bytes, *, cuts: int = 0, random: Random | None = None) -> Frames:
    """Return frames that have followed `data` after a request, in one piece or cut at random places."""
    frames = Frames()
    whole = REQUEST + data
    places = sorted(random.randrange(len(whole)) for _ in range(cuts)) if random else []
    for start, end in zip([0, *places], [*places, len(whole)], strict=True):
        frames.pass_by(whole[start:end])
    return frames


def test_a_request_is_no_frame() -> None:
    frames = followed(b"")
    assert (frames.weight_bytes, frames.extra) == (0, 0)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, 100_000])
def test_a_message_weighs_until_it_is_taken(length: int) -> None:
    frames = followed(raw_frame(TEXT, b"x" * length))
    assert 4 * length <= frames.weight_bytes <= 4 * length + 80
    frames.message_taken()
    assert (frames.weight_bytes, frames.extra) == (0, 0)


def test_a_message_that_is_not_whole_weighs_what_has_come() -> None:
    frames = followed(raw_frame(TEXT, b"x" * 500, length=1000) + b"")
    frames.message_taken()
    assert frames.weight_bytes >= 2000, "it cannot have been taken"


def test_messages_read_ahead_weigh_until_each_is_taken() -> None:
    frames = followed(raw_frame(TEXT, b"x" * 100) + raw_frame(TEXT, b"y" * 10) + raw_frame(TEXT, b"z", last=False))
    frames.message_taken()
    frames.message_taken()
    assert 0 < frames.weight_bytes <= 100


def test_small_parts_weigh_more_than_their_bytes() -> None:
    parts = raw_frame(TEXT, b"x", last=False) + raw_frame(MORE, b"x", last=False) * 999
    assert followed(parts).weight_bytes >= 80_000


def test_control_frames_and_fragments_are_extra_and_control_frames_weigh_nothing() -> None:
    frames = followed(
        raw_frame(PING, b"a") + raw_frame(TEXT, b"", last=False) + raw_frame(PONG, b"") + raw_frame(MORE, b"")
    )
    frames.message_taken()
    assert (frames.extra, frames.weight_bytes) == (4, 0)


def test_a_message_with_an_empty_first_part_is_unfinished_until_its_last_part() -> None:
    frames = followed(raw_frame(TEXT, b"", last=False) + raw_frame(PING, b""))
    assert (frames.unfinished, frames.idle) == (True, False)
    frames.pass_by(raw_frame(MORE, b""))
    frames.message_taken()
    assert (frames.unfinished, frames.idle) == (False, True)


def test_frames_are_the_same_however_they_are_cut(seed: int) -> None:
    random = Random(seed)
    for _ in range(50):
        data = b""
        for _ in range(random.randrange(1, 20)):
            opcode = random.choice((TEXT, MORE, PING, PONG))
            length = random.choice((0, 1, 125, 126, 300, 70_000))
            data += raw_frame(opcode, bytes(length), last=random.random() < 0.7)
        one, cut = followed(data), followed(data, cuts=random.randrange(30), random=random)
        assert cut.extra == one.extra
        assert one.weight_bytes <= cut.weight_bytes <= one.weight_bytes + 80 * 30


def test_a_request_without_an_end_has_no_frames() -> None:
    frames = Frames()
    frames.pass_by(b"\x8a\x80" * 5000)
    assert (frames.extra, frames.weight_bytes) == (0, 0)


def test_a_stream_of_pongs_counts_each_of_them() -> None:
    assert followed(b"\x8a\x80abcd" * 682).extra == 682
