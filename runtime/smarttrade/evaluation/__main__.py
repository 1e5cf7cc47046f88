"""`python -m smarttrade.evaluation`: the container that decides."""

from smarttrade.evaluation.service import EvaluationService
from smarttrade.process import run

if __name__ == "__main__":
    run.main("evaluation", EvaluationService)
