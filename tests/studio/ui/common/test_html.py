"""Pictures of a run on its pages."""

import re

from studio.ui.common.html import model_picture


def test_a_prompt_without_japanese_shows_its_english_picture(bred):
    prompt = bred.prompts.niches.prompts[0]
    for shown, language in ((prompt, "ja"), (prompt.model_copy(update={"ja": None}), "en")):
        address = re.search(r'src="([^"]+)"', model_picture(bred, "ja", shown))[1]
        assert address.endswith(f"-{language}-0.png"), address
