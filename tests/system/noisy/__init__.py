"""The noisy neighbour: hostile clients of every kind beside calm ones, who notice nothing.

An attack is a short async function in a module of `attacks`, with a docstring; `attack` in `target` puts it on the
list. The test runs all of them, one after another, against a real server. To see figures of some:

    python -m tests.system.noisy --seconds 10 descending_changes pong_flood
"""
