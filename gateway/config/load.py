"""Reading `gewu.toml`: from the file to a checked Config, or to one sentence for each mistake."""

from pathlib import Path
from typing import Any

from gateway import camera_extra, tomlfile
from gateway.config import checks
from gateway.config.checks import COMMAND_FILES
from gateway.config.model import Config
from gateway.errors import ConfigurationError
from gateway.profile import load as load_profile

_FILES = ("ca", "cert", "key", "password_file", "secret_file", "folder")


def load(path: Path) -> Config:
    """The configuration in `path`, with paths made absolute and each device's profile read.

    Raises ConfigurationError; its message has one line for each mistake, naming file, key, what is wrong and
    what would be right.
    """
    path = Path(path)
    folder = path.resolve().parent
    raw = tomlfile.read(path)
    for section in ("bus", "uplink", "sink"):
        for index, row in tomlfile.rows(raw, section):
            row.setdefault("name", f"{section}{index + 1}")
    config, wrong = tomlfile.check(Config, raw)
    tomlfile.refuse(path, [*wrong, *checks.sentences(raw, folder)])
    _absolute(raw, folder)
    config, wrong = tomlfile.check(Config, raw)
    if config is None:
        raise ConfigurationError("\n".join(wrong))
    config._file = path.resolve()
    for bus in config.bus:
        for device in bus.device:
            device.defined(load_profile(device.profile, folder))
    return config


def notices(config: Config) -> list[str]:
    """Sentences about what is configured but not served, or not whole; none of them is an error."""
    lacking = camera_extra.sentence() if config.camera else None
    cameras = [f"Cameras are configured and not looked through: {lacking}"] if lacking else []
    known = {camera.id for camera in config.camera}
    # No error: a stop may be added before its camera hangs, and the patrol's own report will name it.
    unknown = [
        f'The patrol "{patrol.name}" stops at "{stop}", which is no camera of this configuration.'
        for patrol in config.patrol
        for stop in patrol.stops
        if stop not in known
    ]
    quiet = [
        f'The bus "{bus.name}" has no devices, so nothing is read from it.' for bus in config.bus if not bus.device
    ]
    return [*cameras, *unknown, *quiet]


def _absolute(raw: dict[str, Any], folder: Path) -> None:
    """Relative files are those beside the configuration, wherever the program was started."""
    gateway = raw["gateway"]
    if "data_dir" in gateway:
        gateway["data_dir"] = str(folder / gateway["data_dir"])
    commands = raw.get("commands", {})
    for key in COMMAND_FILES:
        if key in commands:
            commands[key] = str(folder / commands[key])
    backup = raw.get("backup", {})
    for key in ("ca", "password_file", *([] if "://" in backup.get("to", "") else ["to"])):
        if key in backup:
            backup[key] = str(folder / backup[key])
    for section in ("uplink", "sink"):
        for _, row in tomlfile.rows(raw, section):
            for key in _FILES:
                if key in row:
                    row[key] = str(folder / row[key])
    for _, camera in tomlfile.rows(raw, "camera"):
        _absolute_camera(camera, folder)


def _absolute_camera(camera: dict[str, Any], folder: Path) -> None:
    scheme, _, rest = camera["source"].partition(":")
    if scheme in ("dir", "file"):
        camera["source"] = f"{scheme}:{folder / rest}"
    if "password_file" in camera:
        camera["password_file"] = str(folder / camera["password_file"])
    for _, detector in tomlfile.rows(camera, "detector"):
        detector["model"] = str(folder / detector["model"])
