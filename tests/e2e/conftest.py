"""Releases that several tests hand out: making a key takes seconds."""

import shutil
from pathlib import Path

import pytest
from derb_tools.firmware_files import firmware_dir
from derb_tools.release_build import build_release
from derb_tools.release_key import ReleaseKey

VERSION = 101
_MUTE = """
from derb.links import LinkError


class Sender:
    proven = False
    refused = 0

    def __init__(self, *rest):
        pass

    def run(self, link, deadline):
        raise LinkError("mute")
"""


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> ReleaseKey:
    return ReleaseKey.create(tmp_path_factory.mktemp("key") / "release.key")


@pytest.fixture(scope="session")
def releases(key: ReleaseKey, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A good release; one that does not start; one that starts and never sends."""
    folder = tmp_path_factory.mktemp("releases")
    changed = {"good": {}, "broken": {"upkeep": "raise ValueError('broken')\n"}, "mute": {"sender": _MUTE}}
    made = {}
    for name, modules in changed.items():
        source = folder / name
        shutil.copytree(firmware_dir(), source)
        (source / "derb" / "__init__.py").write_text(f"VERSION = {VERSION}\n")
        for module, text in modules.items():
            (source / "derb" / f"{module}.py").write_text(text)
        made[name] = folder / f"{name}.derb"
        made[name].write_bytes(build_release(key, VERSION, "*", source))
    return made
