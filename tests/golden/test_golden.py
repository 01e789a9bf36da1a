"""No renaming changes a byte of what is stored or sent, and nothing is stored or sent that has no golden file.

Where a format is meant to change, `python -m tests.golden` writes the files anew in the same commit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

import pytest

import darkswap_browser
from darkswap_browser.market.assets import AssetMetadata
from darkswap_browser.protocols.channels.messages import Control
from darkswap_browser.settlement import messages as trades
from darkswap_browser.settlement import states as at
from darkswap_browser.settlement.messages import Body
from darkswap_browser.settlement.terms import Role
from darkswap_browser.storage.orders import OrderRecord, OrderStatus, PendingSale
from darkswap_browser.storage.trades import PendingTake, TradeRecord
from tests.golden import network, relayd, stored, trade
from tests.golden.__main__ import AREAS
from tests.golden.case import Case, kept, kinds_in

PACKAGE = Path(darkswap_browser.__file__).parent
CASES = [(area, case) for area, cases in AREAS.items() for case in cases]
each_case = pytest.mark.parametrize(
    ("area", "case"), CASES, ids=lambda each: each.name if isinstance(each, Case) else each
)
ROLES = {
    at.AwaitingAcceptance: (Role.TAKER,),
    at.Reviewing: (Role.TAKER,),
    at.Signing: (Role.TAKER,),
    at.AwaitingMakerSignatures: (Role.TAKER,),
    at.Verifying: (Role.TAKER,),
    at.Validating: (Role.MAKER,),
    at.AwaitingTakerSignatures: (Role.MAKER,),
    at.Broadcasting: (Role.MAKER,),
}
"""States that only one side comes into."""


@each_case
def test_value_encodes_to_its_golden_bytes(area: str, case: Case) -> None:
    assert case.data.hex() == kept(area)[case.name].hex()


@each_case
def test_golden_bytes_decode_to_the_value_and_encode_to_themselves(area: str, case: Case) -> None:
    if case.decode is not None:
        data = kept(area)[case.name]
        value = case.decode(data)
        assert value == case.value
        assert case.encode(value) == data


@pytest.mark.parametrize("area", AREAS)
def test_golden_file_holds_a_case_for_each_name(area: str) -> None:
    assert list(kept(area)) == [case.name for case in AREAS[area]]


def _reachable(hint: Any) -> Iterator[type]:
    """The dataclasses and enums that a value of this type may hold."""
    for inner in get_args(hint):
        yield from _reachable(inner)
    if isinstance(hint, type) and issubclass(hint, Enum):
        yield hint
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
        for field_hint in get_type_hints(hint).values():
            yield from _reachable(field_hint)


@pytest.mark.parametrize("kind", [TradeRecord, OrderRecord, PendingTake, PendingSale, AssetMetadata])
def test_stored_record_has_a_case_with_every_class_it_may_hold(kind: type) -> None:
    there = set().union(*(kinds_in(case.value) for case in stored.CASES))
    assert set(_reachable(kind)) <= there


def test_no_kind_of_record_is_stored_without_cases() -> None:
    made = [
        line for path in PACKAGE.rglob("*.py") for line in re.findall(r"(?:= |return )RecordStore\(", path.read_text())
    ]
    assert len(made) == 5, "a further one belongs into the test above"


def test_trade_has_a_case_for_each_state_of_each_role() -> None:
    there = {(type(state), state.trade.role) for state in stored.STATES}
    for state in get_args(at.State):
        for role in ROLES.get(state, tuple(Role)):
            assert (state, role) in there or (state is at.Countersigning and role is Role.TAKER), (state, role)


def test_order_has_a_case_for_each_status() -> None:
    there = {case.value.status for case in stored.CASES if isinstance(case.value, OrderRecord)}
    assert there == set(OrderStatus)


def test_message_kinds_have_a_case_each() -> None:
    assert {type(case.value) for case in network.CASES} >= set(get_args(Control))
    assert {type(case.value) for case in trade.CASES} >= set(get_args(Body))


def _modules(pattern: str) -> set[str]:
    """Of the package, those whose source has a match."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "regtest" not in path.parts and re.search(pattern, path.read_text(), re.MULTILINE)
    }


def _path(module: ModuleType) -> str:
    return Path(str(module.__file__)).relative_to(PACKAGE).as_posix()


def test_module_that_writes_to_the_store_has_cases() -> None:
    writing = {name for name in _modules(r"store\.put\(") if not name.startswith(("runtime/", "testing/"))}
    assert writing == {_path(module) for module in stored.WRITERS}
    _assert_named(stored.CASES, [begin for begins in stored.WRITERS.values() for begin in begins])


def test_module_that_declares_messages_has_cases() -> None:
    declaring = {name for name in _modules(r"^class \w+\(Message\):") if name != "wire/protobuf.py"}
    declaring |= {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("messages.py")}
    modules = network.MODULES | relayd.MODULES
    assert declaring == {_path(module) for module in modules}
    begins = [begin for module, each in modules.items() if module is not trades for begin in each]
    _assert_named([*network.CASES, *relayd.CASES], begins)


def _assert_named(cases: list[Case], begins: list[str]) -> None:
    for begin in begins:
        assert any(case.name.startswith(begin) for case in cases), begin
    for case in cases:
        assert case.name.startswith(("yamux", "multistream", *begins)), case.name
