"""`smarttrade tenant`: a namespace for one tenant, and what they may do in it."""
