"""A small ApertureDB-compatible server for trying out, development and tests.

Layers, each knowing only the one below: `server` and `listener` hold the sockets; `tcp` (with `wire`) and `rest` (with
`multipart`) move messages; `query` runs them with the commands of `commands/`; `search` and `writes` are what those
share; `store` and `catalog` keep the data.
"""
