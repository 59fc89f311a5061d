"""Chaos: real servers behind the real HAProxy with a real Redis, and all of it fails while people type.

    python -m tests.chaos --minutes 10 --servers 3 --seed 1

People are at editors of the real @codemirror/collab, at the browser's client, at the Python client and at stock
editors. A round is some seconds of typing, with faults drawn from the seed. Then everything is well again, nobody
types, and the judge looks at all texts. The command tells each round, and in the end how often each fault was made.
"""
