"""The code that the README shows, so that tests can run it as it stands."""

from __future__ import annotations

from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    parts = README.read_text("utf-8").split(f"```{language}\n")[1:]
    return [part.split("```", 1)[0] for part in parts]
