"""What is asked of people: passphrases and words never on the command line, and nobody is asked who is not there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from darkswap_browser.cli import prompts
from darkswap_browser.errors import InvalidArgument


class Typed:
    """A terminal at which these lines are typed; without any, nobody sits there."""

    def __init__(self, lines: Sequence[str], piped: str = "") -> None:
        self.is_interactive = bool(lines)
        self.prompts: list[str] = []
        self._lines = list(lines)
        self._piped = piped

    def secret(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self._lines.pop(0)

    def rest(self) -> str:
        return self._piped

    async def line(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self._lines.pop(0)


def test_the_environment_tells_the_passphrase_even_an_empty_one() -> None:
    for given in ("secret", ""):
        terminal = Typed(["typed"])
        assert prompts.passphrase({"DARKSWAP_PASSPHRASE": given}, terminal, twice=True) == given
        assert terminal.prompts == []


def test_at_a_terminal_it_is_asked_for_once_and_twice_for_a_wallet_to_be() -> None:
    terminal = Typed(["a", "b", "b"])
    assert prompts.passphrase({}, terminal) == "a"
    assert prompts.passphrase({}, terminal, twice=True) == "b"
    assert len(terminal.prompts) == 3


def test_two_ways_of_typing_it_make_no_wallet() -> None:
    with pytest.raises(InvalidArgument, match="passphrase: was typed in two ways"):
        prompts.passphrase({}, Typed(["a", "b"]), twice=True)


def test_without_a_terminal_an_error_says_where_it_may_stand() -> None:
    with pytest.raises(InvalidArgument, match=r"passphrase: .* no terminal") as refused:
        prompts.passphrase({}, Typed([]))
    assert "DARKSWAP_PASSPHRASE" in refused.value.hint


def test_words_are_typed_unseen_or_piped_in_any_spacing() -> None:
    assert prompts.prompt_mnemonic(Typed([" abandon  about "])) == "abandon about"
    assert prompts.prompt_mnemonic(Typed([], piped="abandon\nabout\n")) == "abandon about"


@pytest.mark.parametrize(
    ("typed", "agreed"),
    [("y\n", True), (" YES \n", True), ("n\n", False), ("\n", False), ("", False), ("yep\n", False)],
)
async def test_only_yes_is_yes(typed: str, agreed: bool) -> None:
    terminal = Typed([typed])
    assert await prompts.confirm(terminal, "Sign it?") is agreed
    assert terminal.prompts == ["Sign it? [y/N] "]
