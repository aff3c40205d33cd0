"""What a command reaches in the checkout that it stands in: the flows, by path. The wheel's single upward import."""

import importlib.util
from pathlib import Path
from types import ModuleType

from callsheet.errors import PackageMissing, SpecError


def require_prefect(command: str) -> None:
    """PackageMissing, before anything is looked at or asked. Prefect itself is not loaded for it: that takes seconds."""
    if importlib.util.find_spec("prefect") is None:
        raise PackageMissing(
            f"callsheet {command} needs Prefect, which is not installed.", hint="Run: pip install 'callsheet[flows]'"
        )


def flows(root: Path, name: str) -> ModuleType:
    """The module flows/NAME.py of this checkout. NoCheckout has been ruled out by then."""
    file = root / "flows" / f"{name}.py"
    found = importlib.util.spec_from_file_location(name, file)
    if found is None or found.loader is None or not file.is_file():
        raise SpecError(
            f"The checkout has no flows/{name}.py.",
            where=str(root),
            hint="Restore it from the repository, or lay it out with callsheet init.",
        )
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
