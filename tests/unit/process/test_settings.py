import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.process.settings import Settings

COMPLETE = {
    "SMARTTRADE_INSTALLATION": "home",
    "SMARTTRADE_NAMESPACE": "alice",
    "SMARTTRADE_ACCOUNT": "alice",
    "SMARTTRADE_POD": "alice-0",
    "SMARTTRADE_NATS_URL": "nats://127.0.0.1:4222",
}


def test_defaults_are_those_of_a_pod():
    settings = Settings.from_environment("execution", COMPLETE)
    assert settings.port == 8083
    assert str(settings.nats_credentials) == "/etc/smarttrade/nats/execution.creds"
    assert settings.identity.key == "home/alice/alice"
    assert (settings.replicas, settings.log_level, settings.endpoint, settings.host) == (
        1,
        "info",
        "{}",
        None,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMARTTRADE_INSTALLATION", ""),
        ("SMARTTRADE_NAMESPACE", " "),
        ("SMARTTRADE_ACCOUNT", ""),
        ("SMARTTRADE_NATS_URL", ""),
        ("SMARTTRADE_POD", "alice.0"),
        ("SMARTTRADE_POD", "Alice"),
        ("SMARTTRADE_PORT", "http"),
        ("SMARTTRADE_PORT", "70000"),
        ("SMARTTRADE_REPLICAS", "0"),
        ("SMARTTRADE_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str):
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment("monitoring", COMPLETE | {name: value})


def test_an_unknown_role_is_refused():
    with pytest.raises(ConfigurationError, match="trader"):
        Settings.from_environment("trader", COMPLETE)
