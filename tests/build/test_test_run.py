"""What a run of the tests holds to: nothing outlives it, nothing is left out, the longest file comes first."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import build
from tests import pure
from tests.support.orphans import MARK, marked

pytestmark = pytest.mark.takes(15)

ROOT = Path(build.__file__).parent
PATIENCE = 30.0

# What a worker does: it watches, and starts the chain, and what starts something in a session of its own.
WORKER = f"""
import os, pathlib, subprocess, sys, time
from tests.support.orphans import MARK, Watcher
from tests.support.regtest import RegtestProcess
watcher = Watcher()
chain = RegtestProcess(pathlib.Path(sys.argv[1]))
start = "import subprocess; subprocess.run(['sleep', '600'], start_new_session=True)"
subprocess.Popen([sys.executable, "-c", start], start_new_session=True)
print(os.environ["{MARK}"], flush=True)
if sys.argv[2] == "returns":
    print(watcher.close())
else:
    sys.stdin.read()
"""


def worker(folder: Path, how: str) -> tuple[subprocess.Popen[str], str]:
    """The process, and the mark of what it starts."""
    command = [sys.executable, "-c", WORKER, str(folder), how]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_what_a_killed_worker_started_is_ended(tmp_path: Path) -> None:
    process, mark = worker(tmp_path, "waits")
    running = marked(mark)
    assert any("darkswap_browser.regtest" in command for command in running.values())
    handles = [os.pidfd_open(number) for number in running]
    process.kill()
    process.communicate()
    # A handle of a process is readable once it has ended.
    for handle in handles:
        assert select.select([handle], [], [], PATIENCE)[0]
        os.close(handle)
    assert marked(mark) == {}


def test_what_a_worker_leaves_behind_is_ended_and_named(tmp_path: Path) -> None:
    process, mark = worker(tmp_path, "returns")
    told, _ = process.communicate(timeout=PATIENCE)
    assert "darkswap_browser.regtest" in told and "sleep 600" in told
    assert marked(mark) == {}


# Of pytest's plugins those that a run names: to import all takes longer than the run.
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def run_pytest(folder: Path, plugin: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The tests of a folder, with one of the plugins here."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = takes(seconds)\n")
    plugins = ("-p", "xdist", "-p", f"tests.support.{plugin}")
    command = [sys.executable, "-m", "pytest", *plugins, "-c", str(folder / "pytest.ini")]
    around = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("PYTEST_")}
    return subprocess.run(
        [*command, *arguments, str(folder)],
        cwd=ROOT,
        env={**around, **ALONE, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


RUNS = "def test_runs(): pass\n"
LEAVES_OUT = """
import pytest

@pytest.mark.skip(reason="no browser")
def test_one(): pass

@pytest.mark.xfail(reason="no network")
def test_other(): assert False
"""


@pytest.mark.parametrize("arguments", [(), ("-n", "1")], ids=["alone", "with a worker"])
def test_a_run_that_leaves_a_test_out_fails_where_everything_should_run(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "test_some.py").write_text(RUNS + LEAVES_OUT)
    here = run_pytest(tmp_path, "skips", *arguments)
    assert (here.returncode, "should run here" in here.stdout) == (0, False), here.stdout
    there = run_pytest(tmp_path, "skips", *arguments, CI="true")
    assert there.returncode == 1
    for test, reason in (("test_one", "no browser"), ("test_other", "no network")):
        assert any(f"::{test}: " in line and reason in line for line in there.stdout.splitlines())
    assert there.stdout.splitlines()[-1].strip("= ").startswith("1 passed, 1 skipped, 1 xfailed")


def test_a_run_that_leaves_nothing_out_passes_where_everything_should_run(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(RUNS)
    assert run_pytest(tmp_path, "skips", CI="true").returncode == 0


def test_files_that_take_longest_are_given_out_first(tmp_path: Path) -> None:
    (tmp_path / "test_many.py").write_text("\n".join(f"def test_{number}(): pass" for number in range(9)))
    for name, seconds in (("test_b", 5), ("test_c", 60)):
        text = f"import pytest\npytestmark = pytest.mark.takes({seconds})\ndef test_one(): pass\n"
        (tmp_path / f"{name}.py").write_text(text)
    done = run_pytest(tmp_path, "schedule", *build.AT_ONCE, "-n", "1", "-v")
    files = [line.partition("PASSED ")[2].partition("::")[0] for line in done.stdout.splitlines() if "PASSED" in line]
    assert list(dict.fromkeys(Path(file).name for file in files)) == ["test_c.py", "test_b.py", "test_many.py"]


def test_no_folder_of_tests_is_passed_over(pytestconfig: pytest.Config) -> None:
    passed_over = pytestconfig.getini("norecursedirs")
    folders = {parent.name for file in (ROOT / "tests").rglob("test_*.py") for parent in file.relative_to(ROOT).parents}
    assert "build" in folders
    assert [name for name in folders for pattern in passed_over if fnmatch(name, pattern)] == []


def test_the_pure_tests_are_where_they_are_said_to_be() -> None:
    folders = [folder for group in pure.GROUPS for folder in group]
    assert [folder for folder in folders if not any((ROOT / folder).rglob("test_*.py"))] == []
    assert len(set(folders)) == len(folders)


def run_groups(*tests: Path) -> subprocess.CompletedProcess[str]:
    text = f"from tests.pure import run; raise SystemExit(run({[[str(each)] for each in tests]}))"
    command = [sys.executable, "-c", text]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **ALONE}, capture_output=True, text=True, timeout=60)


def test_groups_of_tests_run_and_a_failure_in_any_of_them_is_told(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    passes, fails = tmp_path / "test_passes.py", tmp_path / "test_fails.py"
    passes.write_text(RUNS)
    fails.write_text("def test_fails(): assert not 'what is wrong'\n")
    for groups in ((passes, fails), (fails, passes)):
        done = run_groups(*groups)
        assert done.returncode == 1
        assert "1 passed" in done.stdout and "1 failed" in done.stdout and "what is wrong" in done.stdout
    assert run_groups(passes, passes).returncode == 0
