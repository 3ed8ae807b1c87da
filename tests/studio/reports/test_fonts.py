"""A font with Japanese is found, also by a matplotlib that listed the fonts before it was there."""

from matplotlib.font_manager import fontManager

from studio.reports.fonts import JAPANESE_FONTS, japanese_font


def test_finds_a_font_that_was_installed_after_the_fonts_were_listed(monkeypatch):
    japanese_font.__wrapped__()
    files = {font.fname for font in fontManager.ttflist if any(name in font.name for name in JAPANESE_FONTS)}
    before = [font for font in fontManager.ttflist if font.fname not in files]
    monkeypatch.setattr(fontManager, "ttflist", before)
    found = japanese_font.__wrapped__()
    assert found is not None
    assert found.file.is_file()
    assert any(name in found.name for name in JAPANESE_FONTS)
    assert fontManager.findfont(found.name, fallback_to_default=False) == str(found.file)
