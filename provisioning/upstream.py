"""The certified protection before each circuit, from a file of its own where the plan has no column for it.

CSV with the columns `id` and `upstream`, read as strictly as a plan: a row that names nobody is a mistake and not
passed over, for what is missing here is what burns. It invents nothing: an empty cell stays empty.
"""

from collections.abc import Mapping
from pathlib import Path

from gateway.errors import ConfigurationError
from provisioning.plan import Plan
from provisioning.plan_file import read_cells


def read_upstream(plan: Plan, path: Path | None) -> Mapping[str, str]:
    """By the id of the row: of the plan's own column, and of `path`, which wins. ConfigurationError names the row."""
    named = {row.id: row.upstream for row in plan.rows if row.upstream}
    if path is None:
        return named
    rows = [(number, row) for number, row in read_cells(path) if any(cell.strip() for cell in row)]
    header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    if header[:2] != ["id", "upstream"]:
        raise ConfigurationError(f"{path}: its first row must name the columns id and upstream.")
    known = {row.id for row in plan.rows}
    for number, row in rows[1:]:
        device, text = (row[0].strip(), row[1].strip()) if len(row) > 1 else (row[0].strip(), "")
        if device not in known:
            raise ConfigurationError(f'{path}, row {number}: "{device}" is no device of the plan.')
        if not text.isprintable() and text:
            raise ConfigurationError(f"{path}, row {number}: the protection is no text in one line.")
        if text:
            named[device] = text
    return named
