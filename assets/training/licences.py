"""Licence texts and notices of what is published."""

from __future__ import annotations

from assets.training.settings import ASSETS

MIT = """MIT License

Copyright (c) {holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

CC_BY = """This folder is licensed under the Creative Commons Attribution 4.0 International licence (CC BY 4.0).
The full text is at https://creativecommons.org/licenses/by/4.0/legalcode
"""

NOTICE = """
Trained on pictures and names made by others, with thanks:

- Noto Emoji, copyright Google LLC and contributors, Apache-2.0, https://github.com/googlefonts/noto-emoji
- Twemoji, copyright Twitter, Inc and other contributors, graphics under CC-BY-4.0
  (https://creativecommons.org/licenses/by/4.0/), https://github.com/twitter/twemoji
- Fluent Emoji, copyright Microsoft Corporation, MIT, https://github.com/microsoft/fluentui-emoji
- the scorers alone also on: Noto Emoji as a font, copyright Google LLC, OFL-1.1; EmojiOne 2.2.7 and its plain icons,
  copyright Ranks.com Inc., CC-BY-4.0; FxEmojis, copyright Mozilla Foundation, Apache-2.0; Streamline emojis, copyright
  Streamline, CC-BY-4.0
- Unicode CLDR names, copyright Unicode, Inc., Unicode-3.0, through emojibase-data, copyright Miles Johnson, MIT

The pictures were resized to 64 pixels and placed on white.
"""


def text(licence: str) -> str:
    """The licence file of a folder under `licence`, an SPDX id in lower case, with the notice of the data."""
    texts = {"mit": MIT.format(holder="Microsoft Corporation and the authors of m2n2-studio"), "cc-by-4.0": CC_BY}
    if licence == "apache-2.0":
        return (ASSETS / "LICENSES" / "Apache-2.0.txt").read_text(encoding="utf-8") + NOTICE
    return texts[licence] + NOTICE
