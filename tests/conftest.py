"""What holds for every test: hypothesis judges results, never the machine's speed."""

from hypothesis import settings

settings.register_profile("smarttrade", deadline=None)
settings.load_profile("smarttrade")
