"""Start the studio on its default address."""

from pathlib import Path

from studio.ui.server.app import serve

if __name__ == "__main__":
    serve(Path("runs"))
