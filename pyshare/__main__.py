"""`python -m pyshare`: the command line."""

import sys

from pyshare.cli import main

sys.exit(main())
