"""`python -m smarttrade.evaluation`: the container that decides."""

import smarttrade.process.lean  # noqa: F401 - before anything else

# isort: split
from smarttrade.evaluation.service import EvaluationService
from smarttrade.process import run


def main() -> None:
    run.main(
        "evaluation", lambda settings, probes: EvaluationService(settings, probes, settings.strategy_source)
    )


if __name__ == "__main__":
    main()
