"""Configuration: every mistake at once, each with file, key and what was meant."""

import re
from pathlib import Path

import pytest
from derb_gateway.config import Config, FileSinkSettings, MqttSinkSettings, load_config
from derb_gateway.errors import ConfigError

GOOD = """
site = "casa"
registry = "registry.toml"
[broker]
port = 1884
[store]
path = "data/derb.sqlite3"
[[sink]]
type = "file"
name = "archive"
directory = "out"
[[sink]]
type = "mqtt"
name = "city"
host = "mqtt.city.example"
"""


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert all(problem.startswith(str(path)) for problem in refused.value.problems)
    return [re.sub(r"^(:\d+)?: ", "", problem.removeprefix(str(path))) for problem in refused.value.problems]


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    return load_config(path)


def test_a_good_one_with_paths_from_its_own_folder(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert config.broker.port == 1884
    assert config.registry == tmp_path / "registry.toml"
    assert config.store.path == tmp_path / "data" / "derb.sqlite3"
    assert config.broker.directory == tmp_path / "broker"
    archive, city = config.sink
    assert isinstance(archive, FileSinkSettings)
    assert archive.directory == tmp_path / "out"
    assert isinstance(city, MqttSinkSettings)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("registry =", "registri =").replace("port = 1884", 'port = "1884"\nmange = true')
    assert problems(tmp_path, text) == [
        "registry: is missing: write registry = …",
        "broker.port: input should be a valid integer (given: '1884')",
        'broker.mange: unknown key; did you mean "manage"?',
        'registri: unknown key; did you mean "registry"?',
    ]


def test_a_mistake_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(GOOD.replace("directory =", "directry ="))
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    line = 1 + GOOD[: GOOD.index("directory =")].count("\n")
    assert (
        f'{path}:{line}: sink[0].directry: unknown key; did you mean "directory"?' in refused.value.problems
    )


def test_a_key_deep_inside_names_its_place_and_its_neighbour(tmp_path: Path) -> None:
    text = GOOD.replace("directory =", "directry =") + "[sink.tls]\ncafile = 'x'\n"
    told = problems(tmp_path, text)
    assert 'sink[0].directry: unknown key; did you mean "directory"?' in told
    assert 'sink[1].tls.cafile: unknown key; did you mean "ca_file"?' in told


def test_a_key_like_no_other_lists_what_there_is(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD + "[log]\nzzz = 1\n") == ["log.zzz: unknown key; there are: format, level"]


def test_a_far_likeness_is_no_suggestion(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, GOOD.replace("port = 1884", 'path = "x"'))  # "port" is half of it
    assert told.startswith("broker.path: unknown key; there are: autosave_interval_s, ")


def test_two_sinks_of_one_name(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, GOOD.replace('"city"', '"archive"'))
    assert "two sinks have the name 'archive'" in told


def test_two_sinks_into_one_folder(tmp_path: Path) -> None:
    again = '[[sink]]\ntype = "file"\nname = "again"\ndirectory = "./out/"\n'
    (told,) = problems(tmp_path, GOOD + again)
    assert told == "the file: two sinks write into out: each would spoil the other's files"


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD.replace("port = 1884", "password = 12345678"))
    assert "12345678" not in " ".join(told)


def test_half_a_login(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, GOOD.replace("port = 1884", 'password = "x"'))
    assert "a password needs a username" in told


def test_a_password_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    config = load(tmp_path, GOOD.replace("port = 1884", 'username = "gw"\npassword_file = "secret"'))
    assert config.broker.secret() == "hunter2"


@pytest.mark.parametrize(("text", "why"), [("site = ", "is not TOML"), (None, "cannot be read")])
def test_no_file_or_no_toml(tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "gateway.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=why):
        load_config(path)


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(path)
