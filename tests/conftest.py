"""What holds for every test: hypothesis judges results, never the machine's speed; code is compiled once."""

import os
import sys

from hypothesis import settings

settings.register_profile("smarttrade", deadline=None)
settings.load_profile("smarttrade")

# As in the Makefile, for a pytest that is started by hand.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
