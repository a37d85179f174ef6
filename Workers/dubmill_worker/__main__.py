"""`python -m dubmill_worker`: the command line."""

import sys

from .cli import main

sys.exit(main())
