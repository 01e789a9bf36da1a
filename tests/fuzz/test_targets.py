from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from darkswap_browser.errors import MalformedMessage
from tests.fuzz import money, network
from tests.fuzz.engine import PACKAGE, Fuzzer
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

STEPS = 150
"""Inputs per target here; `build.py fuzz` runs for as long as it is told."""


@pytest.mark.parametrize("name", TARGETS)
def test_only_the_declared_error_comes_out(name: str) -> None:
    fuzzer = Fuzzer(TARGETS[name])
    finding = fuzzer.begin()
    for _ in range(STEPS):
        finding = finding or fuzzer.step()
    assert finding is None, (finding.data.hex(), finding.error)


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"envelope", "signed_voucher", "noise", "noise_frames"}))
def test_a_seed_is_decoded_whole(name: str) -> None:
    """All but those that would need a secret: from a message that fails at its first byte little is found."""
    target = TARGETS[name]

    def decodes(data: bytes) -> bool:
        try:
            target.run(data)
        except target.allowed:
            return False
        return True

    assert any(map(decodes, target.seeds))


def test_every_file_that_decodes_messages_has_a_target() -> None:
    source = inspect.getsource(money) + inspect.getsource(network)
    for path in Path(PACKAGE).rglob("messages.py"):
        module = ".".join(path.relative_to(Path(PACKAGE).parent).with_suffix("").parts)
        assert module in source, f"{module} has no fuzz target"


def test_a_decoder_with_a_fault_is_found_and_shrunk() -> None:
    def faulty(data: bytes) -> None:
        if data.startswith(b"ab"):
            raise KeyError("c")
        raise MalformedMessage("test", "other")

    fuzzer = Fuzzer(Target(faulty, (b"abcdefgh" * 20,)))
    finding = fuzzer.begin()
    assert finding is not None and isinstance(finding.error, KeyError)
    assert fuzzer.shrink(finding).data == b"ab"
