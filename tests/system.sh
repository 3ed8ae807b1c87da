#!/bin/sh
# What the browser tests need beyond Python: Chromium and a font with Japanese.
set -eu

has_browser() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; }
has_font() { command -v fc-list >/dev/null && [ -n "$(fc-list :lang=ja family)" ]; }

if has_browser && has_font; then exit 0; fi
if ! command -v apt-get >/dev/null; then
    echo "The browser tests need Chromium and a Japanese font (Noto Sans CJK); see 'Tests' in README.md." >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then as_root="sudo"; fi
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fontconfig fonts-noto-cjk
