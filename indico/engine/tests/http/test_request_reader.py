"""`RequestReader`: the same events, however the bytes were split on their way."""

from __future__ import annotations

import random
from collections.abc import Iterable
from unittest import TestCase

from ...http.chunks import MAX_SIZE_LINE_BYTES
from ...http.request_parser import Event, Head, Mark
from ...http.request_reader import RequestReader

ECHO = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
CHUNKS = (
    b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\n\r\n\n\r\n1\r\nx\r\n0\r\n\r\n"
)
UPGRADE = b"POST /u HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: a\r\n"
STREAMS = {
    "one": ECHO,
    "two": ECHO + ECHO,
    "empty lines between": ECHO + b"\r\n\r\n" + ECHO,
    "an unknown method": b"brew" + ECHO[4:] + ECHO,
    "an unknown method in the middle": ECHO + b"brew" + ECHO[4:] + ECHO,
    "chunks": CHUNKS + ECHO + CHUNKS,
    "upgrade": UPGRADE + b"\r\n" + ECHO,
    "upgrade with a body": UPGRADE + b"Content-Length: 2\r\n\r\n{}" + ECHO,
    "upgrade with chunks": UPGRADE + CHUNKS.partition(b"\r\n")[2] + ECHO,
    "connect": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + ECHO,
    "a trailer": CHUNKS[:-2] + b"a: b\r\n\r\n",
    "rubbish": ECHO + b"\0\0",
    "two blanks": b"POST  /echo HTTP/1.1\r\nA: POST /echo HTTP/1.1\r\n\r\n" + ECHO,
    "half a body": ECHO + ECHO[:-1],
    "half a head": ECHO + ECHO[:9],
}


def read(parts: Iterable[bytes]) -> list[object]:
    """Return the events in short, pieces of one body joined."""
    reader = RequestReader()
    told: list[object] = []
    for part in parts:
        reader.receive(part)
        while (event := reader.next()) is not None:
            _tell(told, event)
    return told


def _tell(told: list[object], event: Event) -> None:
    if isinstance(event, Head):
        told.append((event.start_line.method, event.start_line.path, event.keep_alive))
    elif isinstance(event, bytes) and told and isinstance(told[-1], bytes):
        told[-1] += event
    else:
        told.append(event)


class SplitTest(TestCase):
    covers = False

    def test_byte_by_byte(self) -> None:
        for name, stream in STREAMS.items():
            with self.subTest(name=name):
                single = [stream[i : i + 1] for i in range(len(stream))]
                self.assertEqual(read(single), read([stream]))

    def test_anywhere(self) -> None:
        choose = random.Random(0)
        for _ in range(2000):
            stream = b"".join(choose.choices(list(STREAMS.values()), k=3))
            if choose.random() < 0.5:
                place = choose.randrange(len(stream))
                stream = stream[:place] + choose.randbytes(1) + stream[place + 1 :]
            cuts = sorted(choose.choices(range(len(stream)), k=3))
            parts = [stream[i:j] for i, j in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
            with self.subTest(stream=stream, cuts=cuts):
                self.assertEqual(read(parts), read([stream]))

    def test_unknown_methods(self) -> None:
        """A method is the handler's business (405), except for the preface of HTTP/2."""
        for method in (b"FOO", b"brew", b"G", b"GETS", b"M-SEARCHES", b"SOURCE", b"PRI", b"FO,O"):
            stream = method + STREAMS["one"][4:] + STREAMS["one"]
            expected = Mark.MALFORMED if method in (b"PRI", b"FO,O") else Mark.END
            self.assertIs(read([stream])[-1], expected, method)
            for cut in range(len(stream)):
                with self.subTest(method=method, cut=cut):
                    self.assertEqual(read([stream[:cut], stream[cut:]]), read([stream]))


class EventsTest(TestCase):
    def test_each_request_once(self) -> None:
        echo = [("POST", "/echo", True), b"{}", Mark.END]
        self.assertEqual(read([ECHO + b"F", b"OO /x HTTP/1.1\r\n\r\n"])[:3], echo)
        foo = [("FOO", "/x", True), Mark.END]
        self.assertEqual(read([ECHO + b"F", b"OO /x HTTP/1.1\r\n\r\n"]), echo + foo)
        brewed = [("brew", "/echo", True), b"{}", Mark.END]
        self.assertEqual(read([STREAMS["an unknown method in the middle"]]), echo + brewed + echo)

    def test_malformed_is_the_last(self) -> None:
        for name in ("two blanks", "rubbish", "a trailer"):
            with self.subTest(name=name):
                self.assertIs(read([STREAMS[name], ECHO])[-1], Mark.MALFORMED)
                self.assertEqual(read([STREAMS[name], ECHO]), read([STREAMS[name]]))

    def test_a_body_that_holds_the_end_of_chunks(self) -> None:
        told = read([CHUNKS])
        self.assertEqual(told[1:], [b"\n\r\n\nx", Mark.END])


class ChunksTest(TestCase):
    HEAD = CHUNKS[: CHUNKS.index(b"4\r\n")]
    BODY = b"{}\r\n0\r\n\r\n"

    def test_a_long_size_line(self) -> None:
        room = MAX_SIZE_LINE_BYTES - len(b"2;\r\n")
        for size, last in ((room, Mark.END), (room + 1, Mark.MALFORMED), (99_999, Mark.MALFORMED)):
            stream = self.HEAD + b"2;" + b"x" * size + b"\r\n" + self.BODY
            with self.subTest(size=size):
                self.assertIs(read([stream])[-1], last)
                halves = [stream[:9000], stream[9000:]]
                self.assertEqual(read(halves), read([stream]))
                single = [stream[i : i + 1] for i in range(len(stream))]
                self.assertEqual(read(single), read([stream]))

    def test_a_malformed_size_line(self) -> None:
        for line in (b"x", b"", b"-1", b"2\n", b"2\r", b"1" + b"0" * 16):
            with self.subTest(line=line):
                stream = self.HEAD + line + b"\r\n" + self.BODY
                self.assertIs(read([stream])[-1], Mark.MALFORMED)

    def test_many_blank_lines_in_a_chunk(self) -> None:
        """A reader that fed one blank line after the other took time by the square of them."""
        blank = b"\n" * 100_000
        stream = self.HEAD + b"%x\r\n%b\r\n0\r\n\r\n" % (len(blank), blank)
        self.assertEqual(read([stream, ECHO])[1:3], [blank, Mark.END])
