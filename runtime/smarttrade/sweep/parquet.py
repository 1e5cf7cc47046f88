"""The runs of a sweep as a Parquet file: one row a candidate and fold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from smarttrade.data.store import load_pyarrow
from smarttrade.errors import ConfigurationError
from smarttrade.sweep.splits import Fold
from smarttrade.sweep.unit import Outcome

_SHOWN = ("sharpe", "return", "max_drawdown", "trades")
_MOMENTS = ("from", "split", "to")


def require_libraries() -> None:
    """ConfigurationError says which image has what the pods of a Backtest need."""
    try:
        load_pyarrow()
        import optuna  # noqa: F401
    except (ImportError, ConfigurationError) as error:
        raise ConfigurationError(
            f"this image lacks the research libraries ({error}): set the chart's backtests.image to "
            "smarttrade-research"
        ) from error


def write_outcomes(path: Path, outcomes: Sequence[Outcome], folds: Sequence[Fold]) -> None:
    """Parameters as JSON, the fold with its bounds, and the figures of both samples as columns."""
    pyarrow = load_pyarrow()
    import pyarrow.parquet as parquet

    rows = [_row(outcome, folds[outcome.fold]) for outcome in outcomes]
    table = pyarrow.Table.from_pylist(rows, schema=_schema(pyarrow))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    parquet.write_table(table, temporary, compression="zstd")
    temporary.replace(path)


def read_outcomes(path: Path) -> Iterable[Outcome]:
    load_pyarrow()
    import pyarrow.parquet as parquet

    for row in parquet.ParquetFile(path).read().to_pylist():
        yield Outcome(
            json.loads(row["parameters"]),
            row["fold"],
            json.loads(row["in_sample"]),
            json.loads(row["out_of_sample"]),
        )


def _row(outcome: Outcome, fold: Fold) -> dict[str, Any]:
    samples = {"in": outcome.in_sample, "out": outcome.out_of_sample}
    shown = {f"{name}_{side}": metrics[name] for side, metrics in samples.items() for name in _SHOWN}
    return {
        "parameters": json.dumps(outcome.candidate),
        "fold": outcome.fold,
        **dict(zip(_MOMENTS, fold, strict=True)),
        **shown,
        "in_sample": json.dumps(outcome.in_sample),
        "out_of_sample": json.dumps(outcome.out_of_sample),
    }


def _schema(pyarrow: Any) -> Any:
    moments = [(name, pyarrow.timestamp("ms", tz="UTC")) for name in _MOMENTS]
    shown = [
        (f"{name}_{side}", pyarrow.int64() if name == "trades" else pyarrow.float64())
        for side in ("in", "out")
        for name in _SHOWN
    ]
    texts = [(name, pyarrow.string()) for name in ("in_sample", "out_of_sample")]
    known = [("parameters", pyarrow.string()), ("fold", pyarrow.int32())]
    return pyarrow.schema([*known, *moments, *shown, *texts])
