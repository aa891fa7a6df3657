"""`python -m core.cli`: the command line without its installed script."""

import sys

from core.cli import main

sys.exit(main())
