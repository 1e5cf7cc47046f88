"""Generates the CustomResourceDefinition from the models: `python -m smarttrade.api.crds`."""
