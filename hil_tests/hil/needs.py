"""What a test may need of a bench, and the sentence for a bench that lacks it. Pure."""

from collections.abc import Callable
from importlib.util import find_spec

from gateway.errors import ConfigurationError
from hil_tests.hil.bench_file import BenchFile, Device, Permission
from hil_tests.hil.words import Words

Lacks = Callable[[BenchFile, Device | None], bool]

_PERMISSIONS: dict[Permission, Words] = {
    "trip": Words("opening breakers is not allowed on this bench (allow_trip)", "此台架未允许断路器分闸 (allow_trip)"),
    "write": Words("writing is not allowed on this bench (allow_write)", "此台架未允许写入 (allow_write)"),
    "update": Words("updates are not allowed on this bench (allow_update)", "此台架未允许升级固件 (allow_update)"),
    "power_cut": Words(
        "cutting the power is not allowed on this bench (allow_power_cut)", "此台架未允许断电 (allow_power_cut)"
    ),
}


def _virtual(bench: BenchFile) -> bool:
    return bench.bench.kind == "virtual"


def _nobody(bench: BenchFile, _device: Device | None) -> bool:
    return not bench.people.present


def _injecting(quantity: str) -> tuple[Lacks, Words]:
    def lacks(bench: BenchFile, _device: Device | None) -> bool:
        return bench.injector is None or quantity not in bench.injector.quantities

    said = f"no injector of {quantity} on this bench: name one in [injector]"
    return lacks, Words(said, f"没有可注入 {quantity} 的注入源：请在 [injector] 中写明")


# Name of a need: whether this bench lacks it, and what to say then.
NEEDS: dict[str, tuple[Lacks, Words]] = {
    **{f"injector.{quantity}": _injecting(quantity) for quantity in ("amps", "volts", "residual", "celsius")},
    "reference_meter": (
        lambda bench, _: bench.reference_meter is None,
        Words("no reference meter: name one in [reference_meter]", "没有标准表：请在 [reference_meter] 中写明"),
    ),
    "hands": (
        lambda bench, _: not _virtual(bench) and not bench.people.present,
        Words("nobody is there to move a lever ([people] present)", "现场无人可操作手柄 ([people] present)"),
    ),
    "person": (
        _nobody,
        Words(
            "a person who looks at the board ([people] technician, present)", "需要一人在现场观察 ([people] technician)"
        ),
    ),
    "second_person": (
        lambda bench, _: not bench.people.present or not bench.people.second,
        Words("a second person ([people] second, present)", "需要第二人在场 ([people] second)"),
    ),
    "key": (
        lambda _, device: device is not None and not device.key_file,
        Words("the bench file names no key_file of this board", "台架文件未写明该板的 key_file"),
    ),
    "serial": (
        lambda _, device: device is not None and not device.serial,
        Words("the bench file names no serial number of this board", "台架文件未写明该板的序列号"),
    ),
    "update.bundle": (
        lambda bench, _: not bench.update.bundle,
        Words("no signed bundle: name one in [update] bundle", "没有签名固件包：请写明 [update] bundle"),
    ),
    "update.older": (
        lambda bench, _: not bench.update.older,
        Words("no older signed bundle ([update] older)", "没有较旧的签名固件包 ([update] older)"),
    ),
    "update.dying": (
        lambda bench, _: not bench.update.dying,
        Words("no signed bundle that dies at its start ([update] dying)", "没有启动即失败的固件包 ([update] dying)"),
    ),
    "virtual_time": (
        lambda bench, _: not _virtual(bench),
        Words(
            "only a virtual bench has a clock that can be hurried; here every delay is real",
            "只有虚拟台架可加速时间；此处全部为真实延时",
        ),
    ),
    "workshop": (
        lambda bench, _: bench.bench.kind == "site",
        Words(
            "it loads this machine, which serves the site: run it on a bench",
            "会占用正在服务现场的机器：请在工作台上运行",
        ),
    ),
    "camera_extra": (
        lambda _bench, _device: any(find_spec(name) is None for name in ("av", "PIL", "ai_edge_litert")),
        Words("what cameras need is not installed: pip install 'gewu-edge[camera]'", "未安装摄像头所需组件"),
    ),
}


def lacking(bench: BenchFile, device: Device | None, needs: list[str], permissions: list[str]) -> Words | None:
    """Why a test with these marks cannot run here; None when it can. ConfigurationError: there is no such mark."""
    for permission in permissions:
        if permission not in _PERMISSIONS:
            raise ConfigurationError(f"No permission is called {permission!r}: {', '.join(_PERMISSIONS)}.")
        if not bench.allows(permission):
            return _PERMISSIONS[permission]
    for need in needs:
        if need not in NEEDS:
            raise ConfigurationError(f"Nothing that a bench has is called {need!r}: {', '.join(NEEDS)}.")
        lacks, words = NEEDS[need]
        if lacks(bench, device):
            return words
    return None
