"""`gewu test`: the Debian packages that the tests need, then every test. Only in a source checkout."""

import os
import shutil
import subprocess
import sys

import typer

from gateway import shipped
from gateway.cli.output import JsonFlag, print_json, say
from gateway.errors import ConfigurationError

# Debian package by the program that shows it is there.
_PACKAGES = {
    "mosquitto": "mosquitto",
    "nats-server": "nats-server",
    "rabbitmq-server": "rabbitmq-server",
    "systemd-analyze": "systemd",
}
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def test(context: typer.Context, json_output: JsonFlag = False) -> None:  # noqa: PT028  a command, no test
    """Set up everything the tests need and run them all; further arguments go to pytest, --help too."""
    root = shipped.checkout()
    if root is None:
        raise ConfigurationError("`gewu test` needs a source checkout: clone the repository and run ./gewu test there.")
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}"
    missing = [package for program, package in _PACKAGES.items() if shutil.which(program) is None]
    if missing:
        _install(missing)
    os.chdir(root)
    # -P: tests import the packages, never a module that happens to lie in the current folder.
    command = [sys.executable, "-P", "-m", "pytest", *context.args]
    status = subprocess.call(command, stdout=sys.stderr if json_output else None)
    if json_output:
        print_json({"ok": status == 0, "status": status, "arguments": context.args})
    sys.exit(status)


def _install(packages: list[str]) -> None:
    """Install with apt-get where this user may; else say what to type. The tests fail without them, and say so too."""
    prefix = _privilege()
    names = " ".join(packages)
    if prefix is None or shutil.which("apt-get") is None:
        say(f"the tests need {names}: type 'sudo apt-get install {names}' (tests that need it fail until then)")
        return
    say(f"installing Debian packages: {names}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            [*prefix, "apt-get", "-qq", *step],
            env=environment,
            stdout=sys.stderr,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            say(f"apt-get {step[0]} failed: type 'sudo apt-get install {names}' and look at what it says")
            return


def _privilege() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None
