#!/bin/sh
# What the browser tests need beyond Python: Chromium and a font with Japanese.
set -eu

has_browser() {
    for name in chromium-headless-shell chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null; then return 0; fi
    done
    return 1
}
has_font() { command -v fc-list >/dev/null && [ -n "$(fc-list :lang=ja family)" ]; }

if has_browser && has_font; then exit 0; fi
if ! command -v apt-get >/dev/null; then
    echo "The browser tests need Chromium and a Japanese font (Noto Sans CJK); see 'Tests' in README.md." >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then as_root="sudo"; fi
install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@"; }
$as_root apt-get update -qq
install fontconfig fonts-noto-cjk
# The first has no window of its own and starts in less than half of the time; not every Debian or Ubuntu has it.
has_browser || install chromium-headless-shell 2>/dev/null || install chromium
