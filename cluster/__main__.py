"""`python -m cluster COMMAND`: progress goes to stderr, results to stdout."""

import sys

from cluster.cli import main

sys.exit(main(sys.argv[1:]))
