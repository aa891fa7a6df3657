"""The dashboard: `streamlit run dashboard/app.py`, from any working directory, prints the address at which it opens."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    # Streamlit puts only this file's folder on the path; `core` and `dashboard` lie one above.
    sys.path.insert(0, str(ROOT))

from starlette.middleware import Middleware  # noqa: E402
from streamlit.starlette import App  # noqa: E402

from core.errors import UserError  # noqa: E402
from dashboard.server import AccessToken, announced, say_storage_problem, token  # noqa: E402

try:
    middleware = [Middleware(AccessToken, token=token())]
except UserError as error:
    sys.exit(f"multifair: {error}")
app = App(Path(__file__).with_name("script.py"), middleware=middleware, lifespan=announced, on_script_error=say_storage_problem)
