"""The rules of the house (design: arrows go one way), checked and not remembered."""

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
FIRMWARE = ROOT / "firmware"
PURE_MODULES = ("parking.py", "level.py", "frame.py")
PURE_IMPORTS = {"struct", "binascii", "hashlib", "micropython"}
HARDWARE = {
    "machine",
    "network",
    "esp32",
    "esp",
    "espnow",
    "bluetooth",
    "neopixel",
    "onewire",
    "dht",
    "btree",
}
MAY_TOUCH_HARDWARE = (
    "main.py",
    "frozen/",
    "derb/wake.py",
    "derb/door.py",
    "derb/node.py",
    "derb/drivers/",
    "derb/links/",
    "relay/",
    "manifest.py",
)
PROGRAM_FOLDERS = ("firmware", "gateway", "tools", "tests")
TOP_LEVEL = {"firmware", "gateway", "boards", "tools", "tests", "docs", ".ci", ".gitignore"} | {
    "Makefile",
    "README.md",
    "LICENSE",
    "pyproject.toml",
}
TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".json",
    ".sh",
    ".mjs",
    ".conf",
    ".service",
    ".txt",
    ".yml",
    ".pyi",
    "",
}
# Folders of one person's machine; systemd's and Debian's own places are everyone's.
HOST_PATH = re.compile(r"/(?:home|Users)/[a-z]\w*/|/root/|/work/|C:\\\\Users")


def imported_modules(path: Path) -> set[str]:
    """The full names of all modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
            names |= {
                f"{node.module}.{alias.name}" for alias in node.names if node.module in ("derb", "derb_tools")
            }
    return names


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported_modules(path)}


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def tracked_files() -> list[Path]:
    """The files of the repository; where there is no git, those that would be in it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        folders = [ROOT / name for name in (*PROGRAM_FOLDERS, "boards", "docs", ".ci")]
        paths = [*ROOT.glob("*"), *(path for folder in folders for path in folder.rglob("*"))]
    return [path for path in paths if path.is_file() and "__pycache__" not in path.parts]


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("name", PURE_MODULES)
def test_detection_and_wire_format_import_next_to_nothing(name: str) -> None:
    """A pure module may be made of several files, as long as each of them is as pure."""
    reached, left = set(), {FIRMWARE / "derb" / name}
    while left:
        path = left.pop()
        reached.add(path)
        assert tops(path) - {"derb"} <= PURE_IMPORTS, short(path)
        own = {FIRMWARE / f"{module.replace('.', '/')}.py" for module in imported_modules(path)}
        left |= {each for each in own if each.is_file()} - reached


@pytest.mark.parametrize("path", python_files("firmware"), ids=short)
def test_only_node_drivers_and_links_touch_hardware(path: Path) -> None:
    inside = str(path.relative_to(FIRMWARE))
    if not inside.startswith(MAY_TOUCH_HARDWARE):
        assert not tops(path) & HARDWARE


@pytest.mark.parametrize("path", python_files("firmware"), ids=short)
def test_the_firmware_knows_no_float(path: Path) -> None:
    """Single floats of the ESP32 are off by minutes as Unix times, and differ from what tests on a laptop see."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.lineno
        assert not (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)), node.lineno
        assert not (isinstance(node, ast.Name) and node.id == "float"), node.lineno


@pytest.mark.parametrize("path", python_files("firmware"), ids=short)
def test_the_firmware_stands_alone(path: Path) -> None:
    assert not tops(path) & {"derb_gateway", "derb_tools", "gateway", "tools", "tests"}


@pytest.mark.parametrize("path", python_files("firmware"), ids=short)
def test_the_firmware_imports_only_firmware_that_exists(path: Path) -> None:
    for name in imported_modules(path):
        top, _, rest = name.partition(".")
        if top == "derb" and rest:
            base = FIRMWARE / "derb" / rest.replace(".", "/")
            is_module = base.with_suffix(".py").is_file() or base.is_dir()
            is_name_in_package = base.parent.is_dir() and base.parent == FIRMWARE / "derb" and "." not in rest
            assert is_module or is_name_in_package, name


@pytest.mark.parametrize("path", python_files("gateway"), ids=short)
def test_the_gateway_knows_neither_tools_nor_firmware(path: Path) -> None:
    assert not tops(path) & {"derb_tools", "derb", "firmware", "tools", "tests", "machine", "micropython"}


def test_the_gateway_runs_with_the_packages_of_its_own_extra_only() -> None:
    refused = {"amqtt", "numpy", "pypi_simple", "micropython_unix", "cbor2"}
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {refused}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "sys.argv = ['derb', 'gateway', '--help']\n"
        "from derb_tools.cli import main\n"
        "main()\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "run" in finished.stdout


def test_no_file_names_a_folder_of_one_machine() -> None:
    found = [f"{short(path)}: {match[0]}" for path in tracked_files() if (match := host_path(path))]
    assert found == []


def host_path(path: Path) -> re.Match[str] | None:
    if path.suffix not in TEXT_SUFFIXES or path == Path(__file__):
        return None
    return HOST_PATH.search(path.read_text("utf-8"))


def test_lock_files_name_no_registry() -> None:
    for path in tracked_files():
        if path.name == "package-lock.json":
            assert "resolved" not in path.read_text("utf-8"), short(path)


def test_the_top_level_keeps_to_the_layout() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in tracked_files()}
    assert top <= TOP_LEVEL


def make_targets() -> set[str]:
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    return set(rules)


def test_make_has_the_promised_targets() -> None:
    assert {"demo", "test", "check", "bench", "clean", "help"} <= make_targets()


def test_every_make_command_in_the_readme_exists() -> None:
    commands = re.findall(
        r"`make ([a-z]+)|^\s*make ([a-z]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert {one or other for one, other in commands} <= make_targets()


def test_every_derb_command_in_the_documents_exists() -> None:
    from derb_tools.cli import SUBCOMMANDS

    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        named = re.findall(r"(?:`|^\s*)derb ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
        assert set(named) <= set(SUBCOMMANDS), short(page)


def test_every_module_of_the_tools_is_imported_by_a_test() -> None:
    modules = {path.stem for path in (ROOT / "tools" / "derb_tools").glob("*.py")} - {
        "__init__",
        "interpreters",
    }
    imported = set().union(*(imported_modules(path) for path in python_files("tests")))
    assert {name for name in modules if not _is_imported(f"derb_tools.{name}", imported)} == set()


def _is_imported(module: str, imported: set[str]) -> bool:
    return any(name == module or name.startswith(module + ".") for name in imported)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built by its own backend, without pip and so without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(built) as opened:
        yield opened


def test_the_wheel_carries_firmware_and_boards(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for path in tracked_files():
        inside = short(path)
        if inside.startswith(("firmware/", "boards/")) and path.name != ".keep":
            assert f"derb_tools/_data/{inside}" in names


def test_the_wheel_carries_what_the_tools_run_on_the_board(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for part in ("on_board/replay_board.py", "on_cpython/micropython.py"):
        assert f"derb_tools/{part}" in names


def test_the_wheel_carries_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops_in_wheel = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops_in_wheel if not top.endswith(".dist-info")} == {"derb_gateway", "derb_tools"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name or name.endswith(".pyc")]
