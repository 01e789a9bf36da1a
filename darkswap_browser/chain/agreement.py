"""One question to several servers: the first answer, or all answers and what they agree on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from darkswap_browser.errors import ChainError, ChainInconsistent, ChainUnreachable

HEDGE_SECONDS = 3.0
"""A server silent for this long is not waited for alone: the next is asked too."""

STRAGGLER_SECONDS = 5.0
"""What a slow server gets, beyond those that must answer: a trade has a minute for all its checks."""


T = TypeVar("T")


class Named(Protocol):
    @property
    def name(self) -> str: ...


S = TypeVar("S", bound=Named)
H = TypeVar("H", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ServerAnswer(Generic[T]):
    """What the server of that name answered."""

    source: str
    value: T


async def ask_first(sources: Sequence[S], ask: Callable[[S], Awaitable[T]]) -> T:
    """The first good answer; the next server is asked when one fails or takes long. Raises what the first one did."""
    if not sources:
        raise none_configured()
    waiting = list(sources)
    running: list[asyncio.Future[T]] = []
    failures: list[ChainError] = []
    try:
        while waiting or running:
            if waiting:
                running.append(asyncio.ensure_future(ask(waiting.pop(0))))
            done, _ = await asyncio.wait(
                running, timeout=HEDGE_SECONDS if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                running.remove(task)
                try:
                    return task.result()
                except ChainError as error:
                    failures.append(error)
    finally:
        await _end(running)
    raise failures[0]


async def ask_all(
    sources: Sequence[S], ask: Callable[[S], Awaitable[T]], needed: int, straggler: float = STRAGGLER_SECONDS
) -> tuple[list[ServerAnswer[T]], list[ChainError]]:
    """All answers and all failures, in the order of the servers.

    Once `needed` of them have answered, the others get `straggler` seconds more.
    """
    if not sources:
        raise none_configured()
    tasks = [asyncio.ensure_future(ask(source)) for source in sources]
    try:
        running = set(tasks)
        patience: float | None = None
        while running:
            done, running = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
            if sum(task.done() and task.exception() is None for task in tasks) >= needed:
                patience = straggler
        late = [not task.done() for task in tasks]
    finally:
        await _end(tasks)
    answers: list[ServerAnswer[T]] = []
    failures: list[ChainError] = []
    for source, task, was_late in zip(sources, tasks, late, strict=True):
        try:
            if was_late:
                raise ChainUnreachable(source.name, "answers later than the others")
            answers.append(ServerAnswer(source.name, task.result()))
        except ChainError as error:
            failures.append(error)
    return answers, failures


def require_quorum(what: str, answers: Sequence[ServerAnswer[H]], failures: Sequence[ChainError], needed: int) -> H:
    """The answer that at least `needed` servers gave, and more than gave any other.

    Raises `ChainInconsistent` when there is none, or, when too few answered at all, what one of the others failed with.
    """
    if len(answers) < needed:
        raise failures[0] if failures else none_configured()
    (value, votes), *others = Counter(given.value for given in answers).most_common()
    if votes < needed or (others and others[0][1] == votes):
        names = ", ".join(given.source for given in answers)
        raise ChainInconsistent(names, f"do not agree on {what}")
    return value


def require_unanimous(what: str, answers: Sequence[ServerAnswer[H]], failures: Sequence[ChainError], needed: int) -> H:
    """As `require_quorum`, but one other answer is enough to refuse: for facts where the lone voice may be the informed
    one.
    """
    if len({given.value for given in answers}) > 1:
        names = ", ".join(given.source for given in answers)
        raise ChainInconsistent(names, f"do not agree on {what}")
    return require_quorum(what, answers, failures, needed)


def none_configured() -> ChainUnreachable:
    return ChainUnreachable("chain", "no server of this kind is configured")


async def _end(tasks: Sequence[asyncio.Future[T]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
