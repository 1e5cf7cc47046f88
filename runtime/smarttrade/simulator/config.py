"""What a simulator is started with. A YAML file of the same shape can be mounted from a Secret."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import yaml

from smarttrade.errors import ConfigurationError
from smarttrade.matching import FeeSchedule, Market

MOST_LISTED = 10_000
DEFAULT_PRICES = {
    "BTC": Decimal(60000),
    "ETH": Decimal(3000),
    "BNB": Decimal(600),
    "SOL": Decimal(150),
    "XRP": Decimal("0.5"),
}


class UserConfig(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One user: `secret` for HMAC keys, or `public_key` (PEM) for Ed25519 and RSA keys; balances by asset.

    `can_withdraw` is what the key's permissions say; there is nowhere to withdraw to.
    """

    name: str
    key: str
    secret: str = ""
    public_key: str = ""
    balances: dict[str, Decimal] = {}
    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    fee_asset: str = "RECEIVED"
    can_withdraw: bool = False

    def fee_schedule(self) -> FeeSchedule:
        return FeeSchedule(self.maker_fee, self.taker_fee, self.fee_asset)


class MarketConfig(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One market; sizes that are not given follow from the price. Prices in quote, volatility a year.
    `volume`: whether candles of `data` count theirs in base or quote."""

    symbol: str
    price: Decimal | None = None
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    min_notional: Decimal | None = None
    annual_volatility: float = 0.6
    data: str | None = None
    volume: str | None = None


class SimulatorConfig(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`compress`: market seconds a second. `market`: tape (recorded or synthetic) or manual (driven by hand).

    `port` and `admin_port` 0 take a free port. `history_s` is market time before the start that candles show.
    `weight_limit` is the request weight a minute and address (6000 on the real exchange; 0: not enforced, nor
    are the limits of orders). `listed` is how many symbols exchangeInfo shows at least: those beyond the
    configured ones are quiet markets, which have a quote and trade with whoever comes.
    """

    host: str = "127.0.0.1"
    port: int = 0
    admin_host: str = "127.0.0.1"
    admin_port: int = 0
    admin_token: str = ""
    symbols: list[str] = msgspec.field(default_factory=lambda: ["BTC/USDT"])
    markets: list[MarketConfig] = []
    users: list[UserConfig] = []
    data: str | None = None
    volume: str = "base"
    compress: float = 1.0
    seed: int = 0
    market: str = "tape"
    listed: int = 0
    history_s: float | None = None
    depth_levels: int = 20
    weight_limit: int = 0
    journal: str | None = None
    state: str | None = None

    def market_configs(self) -> list[MarketConfig]:
        """Configured markets, then the plain symbols that have none."""
        named = {market.symbol for market in self.markets}
        rest = [MarketConfig(symbol=symbol) for symbol in self.symbols if symbol not in named]
        return [*self.markets, *rest] if self.markets else rest


def load_config(path: str | Path) -> SimulatorConfig:
    """Read a YAML file; ConfigurationError says which field is wrong."""
    try:
        content: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return msgspec.convert(content or {}, SimulatorConfig, strict=False)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"the simulator's configuration {path}: {error}") from error


def check_config(config: SimulatorConfig) -> None:
    """Raise ConfigurationError for what types alone cannot say."""
    if config.compress <= 0:
        raise ConfigurationError(f"compress is {config.compress}; it must be above zero (1 is real time)")
    if config.market not in ("tape", "manual"):
        raise ConfigurationError(f"market is {config.market!r}; it must be 'tape' or 'manual'")
    for volume in (config.volume, *(market.volume or "base" for market in config.markets)):
        if volume not in ("base", "quote"):
            raise ConfigurationError(f"volume is {volume!r}; it must be 'base' or 'quote'")
    for market in config.market_configs():
        parts = market.symbol.split("/")
        if len(parts) != 2 or not all(part.isalnum() and part.isupper() for part in parts):
            raise ConfigurationError(f"symbol {market.symbol!r} is not of the form BASE/QUOTE, as BTC/USDT")
    if not 0 <= config.listed <= MOST_LISTED:
        raise ConfigurationError(f"listed is {config.listed}; it must be between 0 and {MOST_LISTED}")
    _check_users(config.users)


def _check_users(users: list[UserConfig]) -> None:
    for user in users:
        check_user(user)
    for what, values in (("name", [u.name for u in users]), ("key", [u.key for u in users])):
        if len(set(values)) != len(values):
            raise ConfigurationError(f"two users have the same {what}; each needs its own")


def check_user(user: UserConfig) -> None:
    """Raise ConfigurationError where a user has no key, or two."""
    if not user.name or not user.key:
        raise ConfigurationError(f"user {user.name!r}: a user needs a name and a key")
    if bool(user.secret) == bool(user.public_key):
        raise ConfigurationError(
            f"user {user.name!r}: give either secret (HMAC) or public_key (Ed25519 or RSA)"
        )


def build_market(config: MarketConfig, price: Decimal) -> Market:
    """A market whose tick is about a millionth of its price and whose step is worth about a dime."""
    base, quote = config.symbol.split("/")
    tick = config.tick_size or _power_of_ten(price / 1_000_000, lowest=-8)
    finest_step = -8 - int(tick.log10().to_integral_value()) if tick < 1 else -8
    step = config.step_size or _power_of_ten(Decimal(1) / price, lowest=max(finest_step, -8))
    minimum = config.min_notional or _minimum_notional(quote)
    return Market(
        base=base,
        quote=quote,
        tick_size=tick,
        step_size=step,
        min_quantity=step,
        max_quantity=step * 900_000_000,
        max_market_quantity=step * 90_000_000,
        min_price=tick,
        max_price=tick * 1_000_000_000,
        min_notional=minimum,
    )


def _minimum_notional(quote: str) -> Decimal:
    return {"BTC": Decimal("0.0001"), "ETH": Decimal("0.001"), "BNB": Decimal("0.01")}.get(quote, Decimal(5))


def _power_of_ten(value: Decimal, lowest: int) -> Decimal:
    """The power of ten at or below `value`, no finer than 10^lowest and at most 1."""
    return Decimal(1).scaleb(min(0, max(lowest, value.adjusted())))
