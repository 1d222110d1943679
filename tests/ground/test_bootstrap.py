"""The bootstrap script against a stand-in for Python that installs nothing and notes what it is asked."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIME_LIMIT_S = 90

# Makes the smallest thing that passes for an environment. `pip` fails while a file `fail_pip` says how;
# where there is a pipe `gate`, it announces itself on `begun` and waits until somebody opens the gate.
STUB = r"""#!/bin/sh
here=%(here)s
echo "$*" >>"$here/calls"
case "$*" in
    *version_info\ \<*) exit %(too_old)d ;;
    *"import ensurepip"*) exit %(lacks_venv)d ;;
    "-I -m venv "*)
        mkdir -p "$4/bin" "$4/lib"
        cp "$here/python" "$4/bin/python" ;;
    *"-m pip install"*)
        if [ -p "$here/gate" ]; then echo >"$here/begun"; read -r _ <"$here/gate"; fi
        echo "Collecting something==1.0"
        if [ -e "$here/fail_pip" ]; then cat "$here/fail_pip"; exit 1; fi ;;
    "-m "*) echo "started: $*" ;;
esac
"""


class Checkout:
    """A copy of the bootstrap with one requirement, beside a stand-in for Python."""

    def __init__(self, folder: Path, *, too_old: bool = False, lacks_venv: bool = False) -> None:
        self.folder = folder / "checkout with spaces"
        (self.folder / "requirements").mkdir(parents=True)
        shutil.copy(ROOT / "trailstop", self.folder / "trailstop")
        self.pins = self.folder / "requirements" / "run.txt"
        self.pins.write_text("something==1.0\n")
        self.tools = folder / "tools"
        self.tools.mkdir()
        self.python = self.tools / "python"
        self.python.write_text(
            STUB % {"here": self.tools, "too_old": too_old, "lacks_venv": lacks_venv}
        )
        self.python.chmod(0o755)

    def begin(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(self.folder / "trailstop"), *arguments],
            env={"PATH": os.environ["PATH"], "TRAILSTOP_PYTHON": str(self.python), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.begin(*arguments, **environment)
        out, err = process.communicate(timeout=TIME_LIMIT_S)
        return process.returncode, out, err

    def installs(self) -> int:
        calls = self.tools / "calls"
        return calls.read_text().count("-m pip install") if calls.exists() else 0

    def hold_install(self) -> None:
        for name in ("gate", "begun"):
            os.mkfifo(self.tools / name)

    def wait_for_install(self) -> None:
        (self.tools / "begun").read_text()

    def release_install(self) -> None:
        (self.tools / "gate").write_text("open\n")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize("script", ["trailstop", "tools/lock"])
def test_scripts_are_posix_shell(script: str) -> None:
    subprocess.run(["sh", "-n", str(ROOT / script)], check=True)


def test_first_start_installs_and_later_starts_do_not(checkout: Checkout) -> None:
    assert checkout.start("demo", "--once")[:2] == (0, "started: -m trailstop demo --once\n")
    code, out, err = checkout.start("status", "a b")
    assert (code, out, err) == (0, "started: -m trailstop status a b\n", "")
    assert checkout.installs() == 1


def test_changed_pins_are_installed_anew(checkout: Checkout) -> None:
    checkout.start("demo")
    checkout.pins.write_text("something==2.0\n")
    assert checkout.start("demo")[0] == 0
    assert checkout.installs() == 2


@pytest.mark.parametrize("path", ["/nowhere/python", ""], ids=["given", "searched"])
def test_a_missing_python_is_one_line_that_says_what_to_do(checkout: Checkout, path: str) -> None:
    tools = checkout.tools / "bare"
    tools.mkdir()
    for name in ("dirname", "cat", "cksum", "mkdir", "rm", "date", "sh"):
        (tools / name).symlink_to(str(shutil.which(name)))
    code, out, err = checkout.start("demo", TRAILSTOP_PYTHON=path, PATH=str(tools))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "Python 3.11 or newer" in err
    assert "TRAILSTOP_PYTHON" in err


@pytest.mark.parametrize(
    ("fault", "advice"),
    [("too_old", "Python 3.11 or newer"), ("lacks_venv", "apt install python3-venv")],
)
def test_an_unfit_python_is_one_line(tmp_path: Path, fault: str, advice: str) -> None:
    code, _, err = Checkout(tmp_path, **{fault: True}).start("demo")
    assert (code, err.count("\n")) == (1, 1)
    assert advice in err


@pytest.mark.parametrize(
    ("pip_says", "advice"),
    [
        ("WARNING: Retrying after NewConnectionError('...')", "check the network"),
        ("ERROR: No matching distribution found for something==1.0", "No matching distribution"),
    ],
)
def test_a_failed_install_says_why_and_the_next_start_repairs_it(
    checkout: Checkout, pip_says: str, advice: str
) -> None:
    (checkout.tools / "fail_pip").write_text(pip_says + "\n")
    code, out, err = checkout.start("demo")
    assert (code, out) == (1, "")
    assert advice in err.splitlines()[-1]

    (checkout.tools / "fail_pip").unlink()
    assert checkout.start("demo")[:2] == (0, "started: -m trailstop demo\n")


def test_a_build_killed_half_way_is_repaired(checkout: Checkout) -> None:
    checkout.hold_install()
    killed = checkout.begin("demo")
    checkout.wait_for_install()
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=TIME_LIMIT_S)

    (checkout.tools / "gate").unlink()
    assert checkout.start("demo")[:2] == (0, "started: -m trailstop demo\n")
    assert not (checkout.folder / ".env" / "lock").exists()


def test_an_environment_without_its_python_is_repaired(checkout: Checkout) -> None:
    checkout.start("demo")
    (checkout.folder / ".env" / "run" / "bin" / "python").unlink()
    assert checkout.start("demo")[0] == 0
    assert checkout.installs() == 2


def test_two_first_starts_install_once(checkout: Checkout) -> None:
    checkout.hold_install()
    first = checkout.begin("demo")
    checkout.wait_for_install()
    second = checkout.begin("status")
    assert second.stderr is not None
    assert "waiting" in second.stderr.readline()

    checkout.release_install()
    assert first.communicate(timeout=TIME_LIMIT_S)[0] == "started: -m trailstop demo\n"
    assert second.communicate(timeout=TIME_LIMIT_S)[0] == "started: -m trailstop status\n"
    assert checkout.installs() == 1


def test_an_interrupted_install_leaves_no_lock(checkout: Checkout) -> None:
    checkout.hold_install()
    interrupted = checkout.begin("demo")
    checkout.wait_for_install()
    os.killpg(interrupted.pid, signal.SIGINT)
    interrupted.communicate(timeout=TIME_LIMIT_S)
    assert interrupted.returncode == 130
    assert not (checkout.folder / ".env" / "lock").exists()


@pytest.mark.parametrize("name", ["", "../setup", "nothing"])
def test_an_unknown_benchmark_is_one_line(checkout: Checkout, name: str) -> None:
    code, out, err = checkout.start("bench", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
