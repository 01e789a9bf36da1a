"""Tables: aligned by what a terminal shows, and nothing in them that it would obey."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.cli.tables import cut, pairs, plain_text, table, width


def test_columns_are_aligned_and_figures_end_flush() -> None:
    assert table(("ASSET", "FREE"), [["BTC", "0.5"], ["RUNE:1:1", "1000"]], right=("FREE",)) == [
        "ASSET     FREE",
        "BTC        0.5",
        "RUNE:1:1  1000",
    ]


def test_wide_letters_take_two_columns_and_accents_none() -> None:
    assert (width("漢字"), width("e\u0301"), width("₿1")) == (4, 1, 2)
    assert table(("A", "B"), [["漢字", "x"], ["abcd", "y"]]) == ["A     B", "漢字  x", "abcd  y"]


def test_what_is_too_long_is_cut_with_a_mark() -> None:
    assert (cut("ABCDEF", 6), cut("ABCDEFG", 6), cut("漢字漢字", 6)) == ("ABCDEF", "ABCDE…", "漢字…")


def test_pairs_leave_out_what_has_no_value() -> None:
    assert pairs([("Order", "ab"), ("Why", ""), ("Is", "open")]) == ["Order  ab", "Is     open"]
    assert pairs([]) == []


def test_a_name_cannot_move_the_cursor_or_turn_the_line() -> None:
    assert plain_text("A\x1b[2JB\r\nC\u202eD\u200bE") == "A?[2JB??C?D?E"
    assert table(("NAME",), [["\x1b]0;x\x07"]]) == ["NAME", "?]0;x?"]


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), max_size=5), st.sets(st.sampled_from("ABC")))
def test_every_line_is_printable_and_columns_begin_below_each_other(rows: list[list[str]], right: set[str]) -> None:
    lines = table("ABC", rows, right=tuple(right))
    assert len(lines) == len(rows) + 1
    widest = [max([1, *(width(plain_text(row[at])) for row in rows)]) for at in range(3)]
    assert all(line.isprintable() and width(line) <= sum(widest) + 4 for line in lines)


@given(st.text(max_size=30), st.integers(1, 30))
def test_cut_keeps_within_its_width(text: str, most: int) -> None:
    assert width(cut(text, most)) <= most
