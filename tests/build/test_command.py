"""`build.py` itself: what it says when something is wrong."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

import build
from web.build.serve import Process, chain_or_not

pytestmark = pytest.mark.takes(10)

ROOT = Path(build.__file__).parent


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "build.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment})


def test_help_names_every_command() -> None:
    answer = _run("--help")
    assert answer.returncode == 0
    for name in ("serve", "test", "demo", "build", "check", "bench", "fuzz", "soak", "interop", "lab"):
        assert f"\n  {name} " in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("help", "\n  serve "),
        ("build --help", "\n  serve "),
        ("serve --help", "--chain-data"),
        ("serve -- --help", "--circuit-data"),
        ("test --help", "--maxfail"),
        ("demo --help", "Two people meet"),
        ("bench --help", "--json"),
        ("fuzz --help", "--seconds"),
        ("soak --help", "first_seed"),
        ("lab --help", "--full"),
        ("interop --help", "go-libp2p"),
    ],
)
def test_help_of_a_command_is_answered_without_setting_up(arguments: str, said: str) -> None:
    answer = _run(*arguments.split())
    assert (answer.returncode, answer.stderr) == (0, "")
    assert said in answer.stdout
    for step in (" …\n", "dist/ is ready"):
        assert step not in answer.stdout


def test_an_unknown_command_is_refused() -> None:
    answer = _run("bulid")
    assert answer.returncode == 2
    assert "invalid choice" in answer.stderr


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "free 2 GB"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "delete .cache/"),
        ("[Errno -3] Temporary failure in name resolution", "connect to the network"),
        ("npm error code ENOTFOUND", "connect to the network"),
        ("ERROR: No matching distribution found for grpcio", "Python 3.11 to 3.13"),
    ],
)
def test_known_failures_say_what_to_do(output: str, words: str) -> None:
    assert words in str(build.cure(output))


def test_an_unknown_failure_has_no_invented_cure() -> None:
    assert build.cure("Segmentation fault") is None


def test_a_failing_step_shows_its_output_and_ends_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(build.Stop, match=r"^Trying failed: the disk is full: [^\n]+\.$"):
        build.step("Trying", [sys.executable, "-c", "print('No space left on device'); raise SystemExit(3)"])
    assert "No space left on device" in capsys.readouterr().out


def test_browsers_that_cannot_be_installed_are_said_and_left_out() -> None:
    command = [sys.executable, "-c", "import build; build.find_other_browsers(); print('on it goes')"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, env={"PATH": "/nowhere"})
    firefox, webkit, last = answer.stdout.splitlines()
    assert firefox.startswith("Firefox must be installed") and firefox.endswith("Its tests are skipped.")
    assert webkit.startswith("WebKit, its driver or Xvfb must be installed") and "webkit2gtk-driver xvfb" in webkit
    assert last == "on it goes"


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "web.build.serve", "--port", str(port), "--relay-port", "0"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (answer.returncode, answer.stderr) == (1, f"Port {port} is taken: choose another with --port PORT.\n")


def test_entries_of_the_lock_are_taken_whole() -> None:
    text = build.locked(["pip"])
    assert text.startswith("pip==")
    assert text.count("==") == 1
    assert "--hash=sha256:" in text


def _lines(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """`serve` when its page is up, and what it printed by first words."""
    command = [sys.executable, "-m", "web.build.serve", "--port", "0", "--relay-port", "0", "--chain-port", "0"]
    process = subprocess.Popen([*command, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    printed: dict[str, str] = {}
    while "Page" not in printed and (line := process.stdout.readline()):
        word, _, rest = line.strip().partition(" ")
        printed[word] = rest.split()[0]
    return process, printed


def test_serve_tells_the_page_of_the_chain_beside_it(tmp_path: Path) -> None:
    process, printed = _lines("--folder", str(tmp_path), "--chain-data", str(tmp_path / "chain"))
    try:
        with urlopen(printed["Page"] + "config.json", timeout=10) as answer:
            config = json.load(answer)
        assert config["relays"] == [printed["Relay"]]
        assert config["bitcoin"] == {"network": "regtest"}
        chain = config["chain"]
        assert [chain["ord"], chain["alkanes"]] == [[printed["Chain"] + "/ord"], [printed["Chain"] + "/alkanes"]]
        assert chain["faucet"] == printed["Chain"] + "/regtest/faucet"
        with urlopen(chain["esplora"][0] + "/blocks/tip/height", timeout=10) as answer:
            assert int(answer.read()) > 100
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_chain_that_cannot_start_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = Process("regtest chain", ["web.build.no_such_module"], tmp_path / "chain.log")
    assert chain_or_not(missing) == {}
    said = capsys.readouterr().err
    assert said.startswith("The regtest chain did not start (exit code 1): read why in ")
    assert said.endswith("chain.log. The page is served without trades.\n")
    assert "No module named" in (tmp_path / "chain.log").read_text()
