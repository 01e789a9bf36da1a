"""`darkswap doctor`: whether what the node needs works here, part by part, with a next step for what does not."""

from __future__ import annotations

import json

from darkswap_browser.api.diagnostics import CheckStatus, DiagnosticCheck
from darkswap_browser.cli.session import Session, to_dict

FAILED = 1
SIGNS = {CheckStatus.PASSED: "ok", CheckStatus.WARNING: "!!", CheckStatus.FAILED: "no", CheckStatus.SKIPPED: "--"}


async def doctor(session: Session) -> int:
    """1 where a check failed. Needs no wallet."""
    checks: list[DiagnosticCheck] = []
    try:
        async for check in session.node.run_diagnostics():
            checks.append(check)
            if not session.given.report:
                session.out.event("check", to_dict(check), _lines(check))
        if session.given.report:
            report = await session.node.create_report(checks)
            session.out.value(report, json.dumps(report, indent=1, ensure_ascii=False).splitlines())
    finally:
        await session.node.stop()
    return FAILED if any(check.status is CheckStatus.FAILED for check in checks) else 0


def _lines(check: DiagnosticCheck) -> list[str]:
    said = f"{SIGNS[check.status]}  {check.name.replace('_', ' '):<14} {check.message}"
    return [said, f"{'':<19}{check.hint}"] if check.hint else [said]
