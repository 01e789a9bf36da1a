"""From a transaction's outputs to the fields and edicts of its runestone, before anybody asks what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U64, Edict, RuneId
from darkswap_browser.bitcoin.runes.tags import Flaw, Tag
from darkswap_browser.bitcoin.transaction import Transaction

MAGIC = b"\x6a\x5d"
"""OP_RETURN OP_13: the first output that begins so holds the runestone, whatever follows."""
PUSHDATA1, PUSHDATA2, PUSHDATA4 = 0x4C, 0x4D, 0x4E


def payload(tx: Transaction) -> bytes | Flaw | None:
    """What the runestone's pushes hold together; None without a runestone."""
    for output in tx.outputs:
        script = output.script
        if script.startswith(MAGIC):
            return _pushed(script)
    return None


def _pushed(script: bytes) -> bytes | Flaw:
    size = len(script)
    parts: list[bytes] = []
    at = 2
    while at < size:
        opcode = script[at]
        at += 1
        if opcode < PUSHDATA1:
            length = opcode
        elif opcode <= PUSHDATA4:
            width = 1 << (opcode - PUSHDATA1)
            if at + width > size:
                return Flaw.INVALID_SCRIPT
            length = int.from_bytes(script[at : at + width], "little")
            at += width
        else:
            return Flaw.OPCODE
        if at + length > size:
            return Flaw.INVALID_SCRIPT
        parts.append(script[at : at + length])
        at += length
    return b"".join(parts)


@dataclass(slots=True)
class Message:
    """Fields by tag, each a queue of values in the order they came."""

    fields: dict[int, list[int]] = field(default_factory=dict)
    edicts: list[Edict] = field(default_factory=list)
    flaw: Flaw | None = None

    def take(self, tag: Tag, most: int) -> int | None:
        """Takes the first value of `tag` when it is at most `most`; otherwise it stays, and may make a cenotaph."""
        values = self.fields.get(tag)
        if not values or values[0] > most:
            return None
        value = values.pop(0)
        if not values:
            del self.fields[tag]
        return value

    def take_pair(self, tag: Tag, most: tuple[int, int]) -> tuple[int, int] | None:
        values = self.fields.get(tag)
        if values is None or len(values) < 2 or values[0] > most[0] or values[1] > most[1]:
            return None
        first, second = values.pop(0), values.pop(0)
        if not values:
            del self.fields[tag]
        return first, second


def parse(integers: Sequence[int], outputs: int) -> Message:
    """`outputs`: how many the transaction has, which edicts may point at."""
    message = Message()
    fields = message.fields
    at, end = 0, len(integers)
    while at < end:
        tag = integers[at]
        if tag == Tag.BODY:
            _parse_edicts(message, integers, at + 1, outputs)
            break
        if at + 1 >= end:
            message.flaw = Flaw.TRUNCATED_FIELD
            break
        fields.setdefault(tag, []).append(integers[at + 1])
        at += 2
    return message


def _parse_edicts(message: Message, integers: Sequence[int], at: int, outputs: int) -> None:
    block = tx = 0
    for start in range(at, len(integers), 4):
        if start + 4 > len(integers):
            message.flaw = Flaw.TRAILING_INTEGERS
            return
        block_delta, tx_delta, amount, output = integers[start : start + 4]
        block, tx = block + block_delta, (tx_delta if block_delta else tx + tx_delta)
        if block > MAX_U64 or tx > MAX_U32 or (block == 0 and tx > 0):
            message.flaw = Flaw.EDICT_RUNE_ID
            return
        if output > outputs or output > MAX_U32:
            message.flaw = Flaw.EDICT_OUTPUT
            return
        message.edicts.append(Edict(RuneId(block, tx), amount, output))
