"""The soak: a server at work for hours, whose memory, files, tasks and load times stay flat.

One codespace is edited without pause, and a thousand are opened, edited and closed again and again:

    python -m tests.soak --hours 1

It samples figures of the server and of Redis, fits a line to each after the first tenth of the time, and tells
which grew by more than a stated tolerance. A picture of all of them is written to build/soak.svg.
"""
