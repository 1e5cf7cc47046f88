"""`python -m smarttrade.evaluation`: the container that decides."""

import smarttrade.process.lean  # noqa: F401 - before anything else

# isort: split
from smarttrade.evaluation.confinement import confine
from smarttrade.evaluation.service import EvaluationService
from smarttrade.evaluation.versions import sweep
from smarttrade.process import run
from smarttrade.process.probes import Probes
from smarttrade.process.settings import Settings


def _launch(settings: Settings, probes: Probes) -> EvaluationService:
    """Called once the probes listen; no strategy has been imported yet."""
    confine()
    sweep()
    return EvaluationService(settings, probes)


def main() -> None:
    run.main("evaluation", _launch, exposes=False)


if __name__ == "__main__":
    main()
