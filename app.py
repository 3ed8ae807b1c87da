"""Start the studio on its default address."""

from pathlib import Path

from studio.access.door import open_door
from studio.ui.server.app import serve

if __name__ == "__main__":
    runs, host = Path("runs"), "127.0.0.1"
    serve(runs, open_door(runs, host), host=host)
