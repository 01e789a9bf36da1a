"""Another implementation reads what we read and writes what we write: npm's @magiceden-oss/runestone-lib.

Where it differs from ord, ord is right; what differs is pinned below, so that a version that mends it is noticed.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U64, MAX_U128, Edict, RuneId
from darkswap_browser.bitcoin.runes.names import name_of, with_spacers
from darkswap_browser.bitcoin.runes.runestone import Cenotaph, Etching, MintTerms, Runestone, decipher
from tests.bitcoin.runes.blocks import HEIGHTS, Scripts, shapes
from tests.bitcoin.runes.cases import DATA, PAYS, script_of, transaction
from tests.bitcoin.runes.test_deciphering import CALL, FLAWS, POINTED, SWAP
from tests.interop.processes import WEB, node_command

pytestmark = pytest.mark.native

TAGS = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 22, 126, 127, 16383]
BOUNDS = [0, 1, 2, 7, 38, 39, 97, 0x7FFFFFF, MAX_U32, MAX_U32 + 1, MAX_U64, MAX_U64 + 1, MAX_U128]


def ask(*questions: dict[str, Any]) -> list[Any]:
    lines = "\n".join(map(json.dumps, questions)).encode()
    command = node_command("js_runestones.mjs")
    done = subprocess.run(command, cwd=WEB, input=lines, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def decoded(transactions: Sequence[Scripts]) -> list[Any]:
    return ask(*({"decode": [script.hex() for script in scripts]} for scripts in transactions))


class Maker:
    """The same transactions each time: integers that mostly are tags, whole runestones, and damaged scripts."""

    def __init__(self) -> None:
        self._random = random.Random(840000)

    def amount(self) -> int:
        return self._random.choice([0, 1, 100, MAX_U32, MAX_U64, MAX_U128, self._random.getrandbits(128)])

    def maybe(self, value: int) -> int | None:
        return self._random.choice([None, value])

    def identity(self) -> RuneId:
        chance = self._random
        return RuneId(chance.choice([1, 2, 840000, MAX_U64]), chance.choice([0, 1, 300, MAX_U32]))

    def etching(self) -> Etching:
        chance = self._random
        terms = MintTerms(
            amount=self.maybe(chance.getrandbits(40)),
            cap=self.maybe(chance.getrandbits(80)),
            height=(self.maybe(chance.getrandbits(20)), self.maybe(MAX_U64)),
            offset=(self.maybe(0), self.maybe(chance.getrandbits(64))),
        )
        rune = self.maybe(chance.choice([0, 25, 26, chance.getrandbits(128), MAX_U128]))
        letters = 1 if rune is None else len(name_of(rune))
        return Etching(
            divisibility=self.maybe(chance.randrange(39)),
            premine=self.maybe(chance.getrandbits(64)),
            rune=rune,
            # Theirs are told in the name: some, and none behind its last letter.
            spacers=None if letters < 2 else self.maybe(chance.randrange(1, 1 << (letters - 1))),
            symbol=chance.choice([None, "a", "¤", "⧉", "\U0010ffff"]),
            terms=chance.choice([None, terms]),
            turbo=chance.random() < 0.5,
        )

    def runestone(self) -> Runestone:
        chance = self._random
        edicts = [Edict(self.identity(), self.amount(), chance.randrange(4)) for _ in range(chance.randrange(6))]
        return Runestone(
            edicts=tuple(edicts),
            etching=chance.choice([None, self.etching()]),
            mint=chance.choice([None, self.identity()]),
            pointer=self.maybe(chance.randrange(3)),
        )

    def integers(self) -> list[int]:
        chance = self._random
        kinds = (lambda: chance.choice(TAGS), lambda: chance.choice(BOUNDS), lambda: chance.randrange(9))
        return [chance.choice(kinds)() for _ in range(chance.randrange(20))]

    def damaged(self, script: bytes) -> bytes:
        at = self._random.randrange(len(script) + 1)
        return script[:at] + self._random.choice([b"", bytes([self._random.randrange(256)])]) + script[at + 1 :]

    def transactions(self, count: int) -> list[Scripts]:
        made: list[Scripts] = []
        for number in range(count):
            script = (script_of(*self.integers()), self.runestone().encipher(), self.damaged(SWAP))[number % 3]
            more = [self._random.choice([DATA, PAYS, b"", b"\x6a\x04", b"\x6a\x5d\x51"]) for _ in range(2)]
            made.append((more[0], script, PAYS) if number % 7 == 0 else (script, PAYS, more[1]))
        return made


def as_theirs(artifact: Runestone | Cenotaph | None) -> Any:
    """What we read, as they tell it."""
    match artifact:
        case Cenotaph():
            said: dict[str, Any] = {"flaw": str(artifact.flaw).replace("-", "_")}
            if artifact.etching is not None:
                said["etching"] = name_of(artifact.etching)
        case Runestone():
            said = _told(etching=artifact.etching and _etching(artifact.etching), pointer=artifact.pointer)
            if artifact.edicts:
                said["edicts"] = [
                    {"id": _identity(edict.id), "amount": str(edict.amount), "output": edict.output}
                    for edict in artifact.edicts
                ]
        case None:
            return None
    return said | _told(mint=artifact.mint and _identity(artifact.mint))


def _told(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _identity(rune: RuneId) -> dict[str, Any]:
    return {"block": str(rune.block), "tx": rune.tx}


def _etching(etching: Etching) -> dict[str, Any]:
    terms = etching.terms
    return _told(
        divisibility=etching.divisibility,
        premine=_text(etching.premine),
        runeName=None if etching.rune is None else with_spacers(name_of(etching.rune), etching.spacers or 0),
        symbol=etching.symbol,
        terms=None
        if terms is None
        else _told(
            amount=_text(terms.amount), cap=_text(terms.cap), height=_range(terms.height), offset=_range(terms.offset)
        ),
    )


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _range(bounds: tuple[int | None, int | None]) -> dict[str, Any] | None:
    return _told(start=_text(bounds[0]), end=_text(bounds[1])) or None


def without_turbo(answer: Any) -> Any:
    """One flaw of several, the first, as ord has it; and nothing about turbo, which is wrong (see below)."""
    if answer and "flaws" in answer:
        return {name: value for name, value in answer.items() if name != "flaws"} | {"flaw": answer["flaws"][0]}
    if answer and "etching" in answer:
        answer["etching"].pop("turbo")
    return answer


def test_it_reads_every_transaction_as_we_do() -> None:
    chosen: list[Scripts] = [(script_of(*integers),) for integers, _ in FLAWS]
    chosen += [
        (script, PAYS, PAYS) for script in (SWAP, POINTED, CALL, b"\x6a\x5d", b"\x6a\x5d\x4c", b"\x6a\x5d\x01\x80")
    ]
    chosen += [(b"\x6a\x5d" + bytes([opcode]) + b"\x00" * 5,) for opcode in range(256)]
    made = Maker().transactions(600)
    answers = decoded(chosen + made)
    ours = [decipher(transaction(*scripts)) for scripts in chosen + made]
    for scripts, artifact, answer in zip(chosen + made, ours, answers, strict=True):
        assert without_turbo(answer) == as_theirs(artifact), [script.hex() for script in scripts]
    assert {Runestone, Cenotaph, type(None)} == {type(artifact) for artifact in ours[len(chosen) :]}


@pytest.mark.parametrize("height", HEIGHTS)
def test_it_reads_mainnet_as_we_do(height: int) -> None:
    found = shapes(height)
    for scripts, answer in zip(found, decoded(found), strict=True):
        assert without_turbo(answer) == as_theirs(decipher(transaction(*scripts)))


def test_it_writes_every_runestone_as_we_do() -> None:
    maker = Maker()
    made = [Runestone(), *(maker.runestone() for _ in range(300))]
    answers = ask(*({"encode": _specified(each)} for each in made))
    for runestone, answer in zip(made, answers, strict=True):
        assert runestone.encipher().hex() == answer


def _specified(runestone: Runestone) -> dict[str, Any]:
    said: dict[str, Any] = as_theirs(runestone)
    if runestone.etching is not None:
        said["etching"]["turbo"] = runestone.etching.turbo
    return said


def test_it_takes_every_etching_for_turbo() -> None:
    """It asks the etching's flag once more; ord asks turbo's own."""
    answers = decoded([(script_of(2, flags),) for flags in (1, 5)])
    assert [answer["etching"]["turbo"] for answer in answers] == [True, True]
    assert [decipher(transaction(script_of(2, flags))) for flags in (1, 5)] == [
        Runestone(etching=Etching(turbo=turbo)) for turbo in (False, True)
    ]


def test_it_takes_half_a_character_for_a_symbol() -> None:
    """In JavaScript a surrogate is a text; in ord it is no `char`, and the field is passed over."""
    script = script_of(2, 1, 5, 0xD800)
    assert decoded([(script,)])[0]["etching"]["symbol"] == "\ud800"
    assert decipher(transaction(script)) == Runestone(etching=Etching())


def test_it_cuts_a_long_runestone_into_pushes_of_520_bytes() -> None:
    """As ord once did. Readers join pushes, so both say the same."""
    runestone = Runestone(edicts=(Edict(RuneId(1, 1), MAX_U128, 0),) * 30)
    (answer,) = ask({"encode": _specified(runestone)})
    script = runestone.encipher()
    assert answer != script.hex()
    assert decipher(transaction(bytes.fromhex(answer))) == runestone == decipher(transaction(script))
