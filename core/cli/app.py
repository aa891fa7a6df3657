"""`multifair app`: open the dashboard in the browser."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from pathlib import Path
from typing import Any

from core.cli import common, emit, progress
from core.errors import UserError

FIRST_PORT, PORTS = 8501, 20
START_SECONDS = 60
ACCESS_VARIABLE = "MULTIFAIR_ACCESS"
"""Which door the dashboard has (dashboard/server.py)."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "app",
        help="open the dashboard in the browser",
        description="Start the dashboard on this machine and open it in the browser. The address holds a token; without it nobody gets in, other "
        "accounts of the machine included.",
    )
    common(parser)
    parser.add_argument("--port", type=int, metavar="N", help=f"port to listen on (default: the first free one from {FIRST_PORT})")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.access_token import TOKEN_VARIABLE, access_token
    from core.workspace import ENVIRONMENT_VARIABLE, Workspace

    workspace = Workspace.open(args.workspace)
    port, token = free_port(args.port), access_token(workspace)
    address = f"http://127.0.0.1:{port}/?token={token}"
    command = [sys.executable, "-m", "streamlit", "run", str(server_file()), "--server.port", str(port), "--server.address", "127.0.0.1"]
    # Never through its arguments, which all accounts see; a read-only workspace holds no token that both could read.
    environment = {**os.environ, ENVIRONMENT_VARIABLE: str(workspace.root), TOKEN_VARIABLE: token, ACCESS_VARIABLE: "token"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    # Ended by another program, we must not leave the server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        await_server(port, server)
        if args.json:
            emit({"address": address, "pid": server.pid})
        else:
            print(address, flush=True)
        if not args.no_browser and not webbrowser.open(address):
            progress("No browser could be opened: open the address above.")
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.terminate()
        server.wait()


def server_file() -> Path:
    """Where the dashboard's door lies. Raises UserError in an installation without it."""
    found = importlib.util.find_spec("dashboard")
    folder = Path(found.origin).parent if found is not None and found.origin is not None else None
    if folder is None or not (folder / "app.py").is_file():
        raise UserError("the dashboard is not installed beside the command line: install multifair-dashboard from a checkout")
    return folder / "app.py"


def free_port(wanted: int | None) -> int:
    """`wanted` if it is free, else the first free port. Raises UserError."""
    for port in [wanted] if wanted is not None else range(FIRST_PORT, FIRST_PORT + PORTS):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            return port
    where = f"port {wanted} is in use or not a valid port" if wanted is not None else f"no port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is free"
    raise UserError(f"{where}; choose another with --port")


def await_server(port: int, server: subprocess.Popen[bytes]) -> None:
    """Return when the server takes connections. Raises UserError when it ends or does not."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise UserError(f"the dashboard ended with exit code {server.returncode} before it could be opened")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise UserError(f"the dashboard did not answer within {START_SECONDS} s")
