"""`gewu check`: is this configuration right?"""

import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.run import DEFAULT_CONFIG, ConfigOption
from gateway.errors import ConfigurationError


def check(config: ConfigOption = DEFAULT_CONFIG, json_output: JsonFlag = False) -> None:
    """Validate a configuration; each error names the file, the key and what would be right."""
    from gateway import config as configuration

    try:
        read = configuration.load(config)
    except ConfigurationError as error:
        lines = str(error).splitlines()
        if json_output:
            print_json({"ok": False, "errors": lines, "notices": []})
        else:
            for line in lines:
                say(line)
        raise typer.Exit(error.exit_status) from None
    notices = configuration.notices(read)
    if json_output:
        print_json({"ok": True, "errors": [], "notices": notices})
        return
    devices = sum(len(bus.device) for bus in read.bus)
    for notice in notices:
        say(notice)
    plain.print(
        f"{config} is fine: gateway {read.gateway.id} in {read.gateway.site}, "
        f"buses: {len(read.bus)}, devices: {devices}, uplinks: {len(read.uplink)}, sinks: {len(read.sink)}.",
        markup=False,
    )
