"""Files that are offered for a download go after a while."""

import os
import time

from studio.ui.common.studio import DOWNLOADS_LAST, download_folder
from studio.ui.server.app import FORGET


def test_a_download_lies_for_two_hours_and_is_gone_at_the_next():
    old, young = download_folder(), download_folder()
    (old / "sheet.png").write_bytes(b"x")
    long_ago = time.time() - DOWNLOADS_LAST - 1
    os.utime(old, (long_ago, long_ago))
    download_folder()
    assert not old.exists()
    assert young.exists()
    assert FORGET[1] == DOWNLOADS_LAST == 7200  # what Gradio copied goes as soon
