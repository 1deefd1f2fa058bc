"""The parcel at its destination: the real scripts on a root in a folder, over a stand-in for ssh that runs sh here."""

import os
import subprocess
from pathlib import Path

import pytest

from gateway.errors import TryAgain
from provisioning.site import parcel as folders
from provisioning.site.remote import send
from provisioning.tests.site_sample import CANARY, write_site
from provisioning.tests.test_site import change, made

pytestmark = pytest.mark.integration
SYSTEM = Path(__file__).resolve().parents[1] / "system"
# The last word is what ssh would give to the user's shell there.
SSH = '#!/bin/sh\nprintf "%s\\n" "$*" >>"$SSH_LOG"\nshift\nexec sh -c "$*"\n'
SUDO = '#!/bin/sh\nwhile [ "$1" != sh ] && [ "$1" != true ]; do shift; done\nexec "$@"\n'


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Raspberry Pi's root in a folder, which `ssh pi@gewu.local` reaches."""
    root, programs = tmp_path / "root", tmp_path / "bin"
    zone = root / "usr/share/zoneinfo/Asia/Shanghai"
    zone.parent.mkdir(parents=True)
    zone.touch()
    programs.mkdir()
    for name, text in (("ssh", SSH), ("sudo", SUDO)):
        (programs / name).write_text(text, encoding="ascii")
        (programs / name).chmod(0o755)
    work = tmp_path / "there"
    work.mkdir()
    for name, value in (("GEWU_ROOT", root), ("TMPDIR", work), ("SSH_LOG", tmp_path / "ssh.log")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return root


def bring(site: Path, agreed: bool = True) -> tuple[list[str], bool]:
    folder = site.parent / "parcel"
    folders.write(folder, made(site).files, [])
    return send(folder, "pi@gewu.local", lambda _: agreed, lambda: pytest.fail("no password is needed here"))


def test_listed_installed_and_nothing_again(tmp_path: Path, machine: Path) -> None:
    """The list first; then every file with its mode; again there is no change; a change brings only itself."""
    site = write_site(tmp_path)
    listed, done = bring(site, agreed=False)
    assert not done
    assert not (machine / "etc/gewu").exists()
    assert "new /etc/gewu/gewu.toml" in listed
    changes, done = bring(site)
    assert done
    assert changes == listed
    assert (machine / "etc/localtime").readlink() == Path("/usr/share/zoneinfo/Asia/Shanghai")
    assert (machine / "etc/gewu/device-keys.toml").stat().st_mode & 0o777 == 0o600
    assert (machine / "etc/gewu/gewu.toml").stat().st_mode & 0o777 == 0o640
    assert bring(site) == ([], True)
    change(tmp_path / "north.csv", ",2,yes", ",3,yes")
    assert bring(site)[0] == ["changed /etc/gewu/gewu.toml"]
    (machine / "etc/gewu/gateway.key").chmod(0o644)  # somebody's well-meant chmod
    assert bring(site)[0] == ["mode /etc/gewu/gateway.key"]
    change(site, 'time_servers = ["192.168.1.1"]\n', "")
    assert bring(site)[0] == ["removed /etc/systemd/timesyncd.conf.d/gewu.conf"]
    assert not (machine / "etc/systemd/timesyncd.conf.d/gewu.conf").exists()
    assert not list((tmp_path / "there").iterdir()), "the copy with the keys is gone"
    assert CANARY not in (tmp_path / "ssh.log").read_text()


def test_an_altered_folder_changes_nothing(tmp_path: Path, machine: Path) -> None:
    """A card that lost a byte: the sums refuse it before anything is touched, in words of what to do."""
    site = write_site(tmp_path)
    folder = tmp_path / "parcel"
    folders.write(folder, made(site).files, [])
    change(folder / "root/etc/gewu/gewu.toml", "qingxi-01", "qingxi-07")
    with pytest.raises(TryAgain, match=r"damaged or was changed; nothing was touched\. Make it anew"):
        send(folder, "pi@gewu.local", lambda _: True, lambda: "")
    assert not (machine / "etc/gewu").exists()


def test_an_unknown_zone_and_an_unreachable_host(
    tmp_path: Path, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are sentences, and nothing has changed."""
    site = write_site(tmp_path)
    change(site, "Asia/Shanghai", "Asia/Atlantis")
    with pytest.raises(TryAgain, match="no time zone Asia/Atlantis; nothing was touched"):
        bring(site)
    (tmp_path / "bin/ssh").write_text('#!/bin/sh\necho "ssh: connect to host gewu.local: No route" >&2\nexit 255\n')
    with pytest.raises(TryAgain, match=r"On pi@gewu\.local: ssh: connect to host gewu\.local: No route"):
        bring(site)
    assert not (machine / "etc/gewu").exists()


def root_tool(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SYSTEM / "gewu-root"), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


FSTAB = """# <file system> <mount point>
PARTUUID=1-01 /boot/firmware vfat defaults 0 2
PARTUUID=1-02 / ext4 defaults,noatime 0 1
"""
DATA = "LABEL=gewu-data /var/lib/gewu ext4 noatime 0 2\n"


def test_the_root_becomes_read_only_and_writable_again(tmp_path: Path) -> None:
    """Not before the data has a disk of its own; then both mounts are read-only, and back to what they were."""
    fstab = tmp_path / "etc/fstab"
    fstab.parent.mkdir()
    fstab.write_text(FSTAB)
    refused = root_tool("read-only", GEWU_ROOT=str(tmp_path))
    assert (refused.returncode, fstab.read_text()) == (1, FSTAB)
    assert "gewu-root data DEVICE" in refused.stderr
    fstab.write_text(FSTAB + DATA)
    for _ in range(2):
        assert root_tool("read-only", GEWU_ROOT=str(tmp_path)).returncode == 0
        assert "/ ext4 defaults,noatime,ro 0 1\n" in fstab.read_text()
        assert "/boot/firmware vfat defaults,ro 0 2\n" in fstab.read_text()
        assert fstab.read_text().endswith(DATA)
    assert "next start: read-only" in root_tool("status", GEWU_ROOT=str(tmp_path)).stdout
    assert root_tool("writable", GEWU_ROOT=str(tmp_path)).returncode == 0
    assert fstab.read_text() == FSTAB + DATA


def namespace() -> list[str]:
    """What gives a command mounts of its own here; empty where that is forbidden, as in a container."""
    way = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    return way if subprocess.run([*way, "true"], capture_output=True, check=False).returncode == 0 else []


def test_the_mounts_of_a_read_only_root(tmp_path: Path) -> None:
    """Memory first, then /var over what is there, and /tmp; without the flag nothing is mounted."""
    (tmp_path / "bin").mkdir()
    mount = tmp_path / "bin/mount"
    mount.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    mount.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    assert root_tool("overlay", GEWU_ROOT=str(tmp_path), PATH=path).returncode == 0
    assert not (tmp_path / "asked").exists()
    (tmp_path / "etc/gewu").mkdir(parents=True)
    (tmp_path / "etc/gewu/read-only").touch()
    assert root_tool("overlay", GEWU_ROOT=str(tmp_path), PATH=path).returncode == 0
    memory, over, passing = (tmp_path / "asked").read_text().splitlines()
    upper = f"{tmp_path}/run/gewu-overlay"
    assert memory.endswith(f"tmpfs {upper}")
    assert f"lowerdir={tmp_path}/var,upperdir={upper}/upper,workdir={upper}/work overlay {tmp_path}/var" in over
    assert passing.endswith(f"tmpfs {tmp_path}/tmp")


def test_what_is_written_to_var_goes_to_memory(tmp_path: Path) -> None:
    """In a mount namespace of its own: the overlay shows what was there, takes what is written, and the disk stays.

    Where this machine forbids namespaces the test before says all that can be said.
    """
    way = namespace()
    if not way:
        return
    for name in ("etc/gewu/read-only", "var/lib/dpkg/status"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as installed")
    (tmp_path / "run").mkdir()
    (tmp_path / "tmp").mkdir()
    script = (
        'sh "$0" overlay && cat "$1/var/lib/dpkg/status" && echo later >"$1/var/lib/dpkg/status" && echo x >"$1/tmp/x"'
    )
    done = subprocess.run(
        [*way, "sh", "-ec", script, str(SYSTEM / "gewu-root"), str(tmp_path)],
        env=os.environ | {"GEWU_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "as installed"), done.stderr
    assert (tmp_path / "var/lib/dpkg/status").read_text() == "as installed"
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("name", ["gewu-root", "install.sh"])
def test_the_scripts_are_plain_sh(name: str) -> None:
    """dash parses them: Debian's /bin/sh."""
    subprocess.run(["sh", "-n", str(SYSTEM / name)], check=True, timeout=60)


def test_a_card_that_is_full_keeps_what_it_had(tmp_path: Path, machine: Path) -> None:
    """A copy that cannot be written ends the script; the configuration in force is whole."""
    site = write_site(tmp_path)
    bring(site)
    before = (machine / "etc/gewu/gewu.toml").read_bytes()
    (machine / "etc/gewu/gewu.toml.new").mkdir()  # stands for what cannot be written: cp fails on it
    (machine / "etc/gewu/gewu.toml.new/gewu.toml").mkdir()
    change(tmp_path / "north.csv", ",2,yes", ",3,yes")
    with pytest.raises(TryAgain, match=r"gewu\.toml"):
        bring(site)
    assert (machine / "etc/gewu/gewu.toml").read_bytes() == before
