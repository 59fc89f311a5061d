"""The command that makes those files, or compares them: `python -m reference [--check]`."""

import argparse
import sys
from pathlib import Path

from reference.files import FOLDER, made


def main() -> int:
    """Write the files; or say, without writing, which ones are not what the code makes, and return 1."""
    parser = argparse.ArgumentParser(prog="reference", description="Make the files of docs/ that follow from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is not up to date")
    check: bool = parser.parse_args().check
    differing = [path for path, text in made().items() if _text(FOLDER / path) != text]
    for path in differing:
        if check:
            sys.stdout.write(f"docs/{path} is not what the code makes; run python -m reference\n")
        else:
            (FOLDER / path).write_text(made()[path], encoding="utf-8")
            sys.stdout.write(f"docs/{path} is new\n")
    return int(check and bool(differing))


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
