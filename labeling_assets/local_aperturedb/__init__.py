"""A small ApertureDB-compatible server for trying out, development and tests.

Layers, each knowing only the one below: `server`, `tcp` and `wire` move messages; `query` runs them with the
commands of `commands/`; `search` and `writes` are what those share; `store` and `catalog` keep the data.
"""
