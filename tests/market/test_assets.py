from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import InvalidArgument
from darkswap_browser.market.assets import BITCOIN_INFO, BTC, MAX_U32, MAX_U64, MAX_U128, Asset, AssetKind

assets = st.one_of(
    st.just(BTC),
    st.builds(Asset.rune, st.integers(1, MAX_U64), st.integers(0, MAX_U32)),
    st.builds(Asset.alkane, st.integers(1, MAX_U128), st.integers(0, MAX_U128)),
)


@given(assets)
def test_an_asset_is_read_as_it_was_written(asset: Asset) -> None:
    assert Asset.parse(str(asset)) == asset
    assert Asset.parse(str(asset).lower()) == asset


def test_assets_are_written_as_people_know_them() -> None:
    assert [str(each) for each in (BTC, Asset.rune(840_000, 1), Asset.alkane(2, 0))] == [
        "BTC",
        "RUNE:840000:1",
        "ALKANE:2:0",
    ]
    assert (BITCOIN_INFO.asset, BITCOIN_INFO.decimals) == (BTC, 8)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not an asset"),
        ("ETH", "is not an asset"),
        ("BTC:1", "is not an asset"),
        ("RUNE", "is not an asset"),
        ("RUNE:840000", "is not an asset"),
        ("RUNE:1:2:3", "is not an asset"),
        ("UNCOMMON•GOODS", "is not an asset"),
        ("RUNE:x:1", "is not a whole number"),
        ("RUNE:-1:1", "is not a whole number"),
        ("RUNE:1:", "is not a whole number"),
        ("RUNE: 1:1", "is not a whole number"),
        ("RUNE:01:1", "is not a whole number"),
        ("RUNE:1:1_0", "is not a whole number"),
        ("RUNE:١:1", "is not a whole number"),
        ("ALKANE:" + "9" * 40 + ":0", "is not a whole number"),
        ("RUNE:0:0", "is not an id of its kind"),
        ("RUNE:0:1", "is not an id of its kind"),
        (f"RUNE:{MAX_U64 + 1}:0", "is not an id of its kind"),
        (f"RUNE:1:{MAX_U32 + 1}", "is not an id of its kind"),
        ("ALKANE:0:1", "is not an id of its kind"),
        (f"ALKANE:{MAX_U128 + 1}:0", "is not an id of its kind"),
        (f"ALKANE:2:{MAX_U128 + 1}", "is not an id of its kind"),
    ],
)
def test_what_is_no_asset_is_refused_by_the_name_of_the_field(text: str, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason) as refused:
        Asset.parse(text, "order.base")
    assert refused.value.path == "order.base"


def test_numbers_that_cannot_be_an_id_are_refused_without_a_text_too() -> None:
    for asset in (Asset(AssetKind.RUNE, 1, -1), Asset(AssetKind.ALKANE)):
        with pytest.raises(InvalidArgument, match="is not an id of its kind"):
            asset.checked()
    assert BTC.checked() is BTC


def test_the_first_and_the_last_id_of_each_kind_are_read() -> None:
    for text in (
        "RUNE:1:0",
        "RUNE:18446744073709551615:4294967295",
        "ALKANE:1:0",
        "ALKANE:340282366920938463463374607431768211455:340282366920938463463374607431768211455",
    ):
        assert str(Asset.parse(text)) == text
