"""yamux frame headers. https://github.com/hashicorp/yamux/blob/master/spec.md

    version u8 = 0 | type u8 | flags u16 | stream id u32 | length u32       big-endian, 12 bytes

`length` is the body size of Data, the credit of WindowUpdate, the value of Ping and the code of GoAway.
Plain integers and one `Struct`: this is the busiest code of a relayed connection.
"""

from __future__ import annotations

from struct import Struct

HEADER = Struct(">BBHII")
HEADER_SIZE = 12
VERSION = 0

DATA = 0
WINDOW_UPDATE = 1
PING = 2
GO_AWAY = 3

SYN = 1
ACK = 2
FIN = 4
RST = 8

NORMAL = 0
PROTOCOL_ERROR = 1
INTERNAL_ERROR = 2

INITIAL_WINDOW = 256 * 1024
MAX_STREAM_ID = 0x7FFFFFFF


def pack(kind: int, flags: int, stream: int, length: int) -> bytes:
    return HEADER.pack(VERSION, kind, flags, stream, length)
