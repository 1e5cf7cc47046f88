import pytest

from smarttrade.bus.keys import OperatorKeys, derive
from smarttrade.errors import ConfigurationError

KEYS = OperatorKeys.generate(now=1_700_000_000)


def test_keys_survive_their_files():
    again = OperatorKeys.from_files(KEYS.to_files())
    assert again == KEYS
    assert again.account("core", "x").public == KEYS.account("core", "x").public
    assert again.created == 1_700_000_000


def test_the_root_key_may_be_taken_away():
    files = KEYS.to_files()
    del files["operator.seed"]
    assert OperatorKeys.from_files(files).root is None


@pytest.mark.parametrize("name", ["operator.jwt", "signing.seed", "master.seed"])
def test_a_missing_file_is_named(name: str):
    with pytest.raises(ConfigurationError, match=name):
        OperatorKeys.from_files(KEYS.to_files() | {name: " "})


@pytest.mark.parametrize(
    "change",
    [
        {"master.seed": "xyz"},
        {"master.seed": "00"},
        {"signing.seed": "SOAB"},
        {"operator.jwt": "a.b"},
        {"signing.seed": OperatorKeys.generate().signing.seed},
    ],
)
def test_files_that_cannot_be_are_refused(change: dict[str, str]):
    with pytest.raises(ConfigurationError):
        OperatorKeys.from_files(KEYS.to_files() | change)


def test_derived_seeds_depend_on_every_part_and_its_boundaries():
    paths = [("a", "bc"), ("ab", "c"), ("abc",), ("a", "b", "c")]
    assert len({derive(b"m" * 32, *path) for path in paths}) == len(paths)


def test_derivation_is_the_published_hkdf():
    """Against an independent computation: RFC 5869 with SHA-256, no salt, 32 bytes."""
    import hashlib
    import hmac

    pseudo_random_key = hmac.new(b"\0" * 32, b"m" * 32, hashlib.sha256).digest()
    expected = hmac.new(pseudo_random_key, b"smarttrade/v1\x1fuser\x1fx\x01", hashlib.sha256).digest()
    assert derive(b"m" * 32, "user", "x") == expected
