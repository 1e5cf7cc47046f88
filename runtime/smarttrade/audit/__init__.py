"""The account's audit trail as it is exported: what was done, and what was changed, in one order."""
