"""The command line: a client of the connector's HTTP API, and the connector with a sandbox on this machine.

It imports nothing of the functions: what it can do, any other program can do over HTTP.
"""
