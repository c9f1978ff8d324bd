"""What is not known for certain about ApertureDB servers, as queries that find it out.

Each probe says what our sources say, what this package and its local server assume, and asks the server that
`APERTUREDB_KEY` names. A new probe is a function in one of the families below and a line in its `PROBES`.
"""
