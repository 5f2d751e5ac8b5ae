"""Wrong registries: each is told by file and line, with the key or table and what to do."""

import random
from pathlib import Path

import pytest
from derb_gateway.errors import ConfigError
from derb_gateway.registry import load_registry
from gateway.kit import KEY, NODE, OTHER, OTHER_KEY

NEW = "7cdfa1000002"
REPLACED = f'bay = "b1"\nreplaced_by = "{OTHER}"'
GOOD = f"""[site]
timezone = "Africa/Casablanca"
[[zone]]
id = "maarif"
[[bay]]
id = "b1"
zone = "maarif"
lat = 33.58
lon = -7.62
[[container]]
id = "c1"
zone = "maarif"
lat = 33.58
lon = -7.62
empty_mm = 1500
full_mm = 250
[[node]]
id = "{NODE}"
key = "{KEY.hex()}"
bay = "b1"
[[node]]
id = "{OTHER}"
key = "{OTHER_KEY.hex()}"
container = "c1"
[[closed]]
bay = "b1"
from = 2026-12-01T08:00:00
until = 2026-12-03T18:00:00
[[closed]]
zone = "maarif"
weekly = ["tue"]
from = 06:00:00
until = 14:00:00
"""
CLOSED = 'bay = "b1"\nfrom = 2026-12-01T08:00:00\nuntil = 2026-12-03T18:00:00'
WEEKLY = 'weekly = ["tue"]\nfrom = 06:00:00\nuntil = 14:00:00'

WRONG = [
    ("no TOML", ("[site]", "[site"), "is not TOML", "at line 1"),
    ("quotes forgotten", ('id = "b1"', "id = b1"), "is not TOML", "at line 6"),
    ("the same key twice", ("lat = 33.58\n", "lat = 33.58\nlat = 33.58\n"), "is not TOML", "overwrite"),
    ("an unknown table", ("[[zone]]", "[[zones]]"), ":3: zones: unknown key", 'did you mean "zone"?'),
    (
        "an unknown key",
        ("lat = 33.58", "latitude = 33.58"),
        ":8: bay[0].latitude: unknown key",
        "there are: id",
    ),
    (
        "a misspelt key",
        ("empty_mm =", "emtpy_mm ="),
        ":15: container[0].emtpy_mm",
        'did you mean "empty_mm"?',
    ),
    ("a key left out", ('zone = "maarif"\nlat', "lat"), ":5: bay[0].zone: is missing", "write zone = …"),
    ("a node without a key", (f'key = "{KEY.hex()}"\n', ""), ":17: node[0].key: is missing", "write key = …"),
    ("a place as one table", ("[[bay]]", "[bay]"), ":5: bay: ", "valid list"),
    ("a short id", (NODE, NODE[:-1]), ":18: node[0].id: is not 12 hex digits", f"given: '{NODE[:-1]}'"),
    ("a key that is none", (KEY.hex(), "x" * 64), ":19: node[0].key", "is not 64 hex digits"),
    ("an empty name", ('id = "b1"', 'id = ""'), ":6: bay[0].id: is no name", "write 1 to 80"),
    ("a name with a line end", ('id = "b1"', 'id = "b\\n1"'), ":6: bay[0].id: is no name", "printable"),
    ("an endless name", ('id = "b1"', f'id = "{"b" * 5000}"'), ":6: bay[0].id: is no name", "1 to 80"),
    ("a latitude in minutes", ("lat = 33.58", "lat = 3358.0"), ":8: bay[0].lat", "less than or equal to 90"),
    ("no number at all", ("lon = -7.62", "lon = nan"), ":9: bay[0].lon", "less than or equal to 180"),
    (
        "a number in quotes",
        ("lat = 33.58", 'lat = "33.58"'),
        ":8: bay[0].lat",
        "valid number (given: '33.58')",
    ),
    ("a container upside down", ("1500", "200"), ":10: container[0]", "must be more than full_mm"),
    (
        "a shape there is not",
        ("full_mm = 250", 'full_mm = 250\nshape = "egg"'),
        ":17: container[0].shape",
        "'cone' or 'box'",
    ),
    (
        "a place that is not there",
        ('bay = "b1"\n[[node]]', 'bay = "b-1"\n[[node]]'),
        ":17: node ",
        'did you mean "b1"?',
    ),
    (
        "two places",
        ('bay = "b1"\n[[node]]', 'bay = "b1"\ncontainer = "c1"\n[[node]]'),
        ":17: node[0]",
        "take one of the two out",
    ),
    (
        "two nodes at a bay",
        ('container = "c1"\n[[closed', 'bay = "b1"\n[[closed'),
        ":21: a node for bay 'b1'",
        "registry replace",
    ),
    ("a node twice", (OTHER, NODE.upper()), f":21: node '{NODE}' is there twice", "take one [[node]] out"),
    ("one key for two", (OTHER_KEY.hex(), KEY.hex()), ":21: nodes ", "give one of them a key of its own"),
    (
        "a zone that is not declared",
        ('zone = "maarif"\nlat', 'zone = "maarfi"\nlat'),
        ":5: bay 'b1'",
        'did you mean "maarif"?',
    ),
    (
        "no such time zone",
        ("Africa/Casablanca", "Casablanca"),
        ":2: site.timezone: is no time zone",
        "write it as Africa/Casablanca",
    ),
    (
        "closed backwards",
        ("2026-12-03T18", "2026-11-03T18"),
        ":25: until is not after from",
        "mend one of them",
    ),
    (
        "closed: what",
        ('[[closed]]\nbay = "b1"', "[[closed]]"),
        ":25: closed[0]: say what is closed",
        "one of bay, container or zone",
    ),
    (
        "closed: where",
        ('[[closed]]\nbay = "b1"', '[[closed]]\nbay = "b9"'),
        ":25: there is no [[bay]] with id 'b9'",
        "mend the name",
    ),
    ("a day there is not", ('"tue"', '"dimanche"'), ":31: closed[1].weekly[0]", "'sun'"),
    (
        "weekly with dates",
        ("from = 06:00:00", "from = 2026-12-01T06:00:00"),
        ":29: closed[1]: with weekly",
        "times of day",
    ),
    (
        "hours without weekly",
        ('weekly = ["tue"]\n', ""),
        ":29: closed[1]: a time of day needs weekly",
        "with dates",
    ),
    (
        "a time in words",
        ("from = 06:00:00", 'from = "six"'),
        ":32: closed[1].from: is no time",
        "write 2026-12-01T08:00:00",
    ),
    (
        "a year that cannot be",
        ("2026-12-01T08", "0001-12-01T08"),
        ":27: closed[0].from: is in a year",
        "2000 to 2199",
    ),
    (
        "half a replacement",
        ('bay = "b1"\n[[node]]', f"{REPLACED}\n[[node]]"),
        ":17: node[0]: replaced_by",
        "write both or none",
    ),
    (
        "replaced by nobody",
        (
            'bay = "b1"\n[[node]]',
            f'bay = "b1"\nreplaced_by = "{NEW}"\nreplaced_at = 2026-12-01T08:00:00Z\n[[node]]',
        ),
        f":17: node {NODE}: there is no [[node]] with id '{NEW}'",
        "mend the name",
    ),
    (
        "a key that ends too early",
        ('bay = "b1"\n[[node]]', f"{REPLACED}\nreplaced_at = 2026-12-01\nkey_until = 2026-11-01\n[[node]]"),
        f":17: node {NODE}: key_until is before replaced_at",
        "mend one of them",
    ),
]


def load(tmp_path: Path, text: str) -> None:
    (tmp_path / "registry.toml").write_text(text)
    load_registry(tmp_path / "registry.toml")


def test_the_good_one_is_good(tmp_path: Path) -> None:
    load(tmp_path, GOOD)


@pytest.mark.parametrize(("change", "where", "fix"), [case[1:] for case in WRONG], ids=[c[0] for c in WRONG])
def test_a_mistake_is_told_with_its_line_and_its_fix(
    tmp_path: Path, change: tuple[str, str], where: str, fix: str
) -> None:
    assert change[0] in GOOD
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, GOOD.replace(*change, 1))
    told = [line for line in refused.value.problems if where in line and fix in line]
    assert told, refused.value.problems
    assert all(line.startswith(f"{tmp_path}/registry.toml:") for line in refused.value.problems)
    assert not any(key.hex() in str(refused.value) for key in (KEY, OTHER_KEY))


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"\xff\xfe", ":1: is not UTF-8 text: save the file as UTF-8"),
        (b"# a\n# \x80\n", ":2: is not UTF-8 text"),
        (b"a = " + b"[" * 3000, "is not TOML"),
        (b"\0", "is not TOML"),
    ],
)
def test_a_file_that_is_no_text_is_no_crash(tmp_path: Path, raw: bytes, told: str) -> None:
    path = tmp_path / "registry.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as refused:
        load_registry(path)
    assert f"{path}:" in str(refused.value)
    assert told in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"registry\.toml: cannot be read: No such file"):
        load_registry(tmp_path / "registry.toml")


CUTS = 60


def test_whatever_is_cut_out_of_a_file_is_told_by_file_and_never_a_crash(tmp_path: Path) -> None:
    chance = random.Random(20_261_128)
    told: list[list[str]] = []
    for _ in range(CUTS):
        begin = chance.randrange(len(GOOD))
        try:
            load(tmp_path, GOOD[:begin] + GOOD[begin + chance.randrange(1, 60) :])
        except ConfigError as error:
            told.append(error.problems)
    assert len(told) > CUTS / 2
    assert all(line.startswith(f"{tmp_path}/registry.toml:") for problems in told for line in problems)
