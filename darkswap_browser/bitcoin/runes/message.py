"""From a transaction's outputs to the fields and edicts of its runestone, before anybody asks what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U64, Edict, RuneId
from darkswap_browser.bitcoin.runes.tags import Flaw, Tag
from darkswap_browser.bitcoin.transaction import Transaction

MAGIC = b"\x6a\x5d"
"""OP_RETURN OP_13: the first output that begins so holds the runestone, whatever follows."""
PUSHDATA1, PUSHDATA4 = 0x4C, 0x4E


def payload(tx: Transaction) -> bytes | Flaw | None:
    """What the runestone's pushes hold together; None without a runestone."""
    for output in tx.outputs:
        script = output.script
        if script[:2] == MAGIC:
            # Nearly always one short push that fills the script.
            return script[3:] if len(script) > 2 and script[2] == len(script) - 3 < PUSHDATA1 else _pushed(script)
    return None


def _pushed(script: bytes) -> bytes | Flaw:
    size = len(script)
    parts: list[bytes] = []
    at = len(MAGIC)
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


class RunestoneFields:
    """Fields by tag, each a queue of values in the order they came; edicts; and the first flaw."""

    __slots__ = ("edicts", "fields", "flaw")

    def __init__(self, integers: Sequence[int], outputs: int) -> None:
        """`outputs`: how many the transaction has, which edicts may point at."""
        self.fields: dict[int, list[int]] = {}
        self.edicts: list[Edict] = []
        self.flaw: Flaw | None = None
        fields = self.fields
        end = len(integers)
        for at in range(0, end, 2):
            tag = integers[at]
            if tag == Tag.BODY:
                self.flaw = self._take_edicts(integers, at + 1, outputs)
                return
            if at + 1 == end:
                self.flaw = Flaw.TRUNCATED_FIELD
                return
            if tag in fields:
                fields[tag].append(integers[at + 1])
            else:
                fields[tag] = [integers[at + 1]]

    def _take_edicts(self, integers: Sequence[int], start: int, outputs: int) -> Flaw | None:
        block = tx = 0
        end = len(integers)
        for at in range(start, end, 4):
            if at + 4 > end:
                return Flaw.TRAILING_INTEGERS
            block_delta, tx_delta, amount, output = integers[at : at + 4]
            if block_delta:
                block += block_delta
                tx = tx_delta
            else:
                tx += tx_delta
            if block > MAX_U64 or tx > MAX_U32 or (not block and tx):
                return Flaw.EDICT_RUNE_ID
            if output > outputs or output > MAX_U32:
                return Flaw.EDICT_OUTPUT
            self.edicts.append(Edict(RuneId(block, tx), amount, output))
        return None

    def take(self, tag: int, fits: Callable[[int], bool]) -> int | None:
        """Takes the first value of `tag` when it fits; otherwise it stays, and may make a cenotaph."""
        values = self.fields.get(tag)
        if values is None or not fits(values[0]):
            return None
        return self._drop(tag, values, 1)[0]

    def take_id(self, tag: int) -> RuneId | None:
        """The same for two values that are a rune's id. Block 0 has no transaction but 0."""
        values = self.fields.get(tag)
        if values is None or len(values) < 2:
            return None
        block, tx = values[:2]
        if block > MAX_U64 or tx > MAX_U32 or (not block and tx):
            return None
        self._drop(tag, values, 2)
        return RuneId(block, tx)

    def _drop(self, tag: int, values: list[int], count: int) -> list[int]:
        taken, values[:count] = values[:count], []
        if not values:
            del self.fields[tag]
        return taken
