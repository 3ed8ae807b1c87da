"""What the published sources are: names, where their parts come from, data and licences."""

from __future__ import annotations

from dataclasses import dataclass

NOTO = ("Noto Emoji by Google, from emoji-datasource-google 16.0.0", "Apache-2.0")
TWEMOJI = ("Twemoji by Twitter and contributors, from emoji-datasource-twitter 16.0.0", "CC-BY-4.0")
FLUENT = ("Fluent Emoji 3D by Microsoft, from @lobehub/fluent-emoji-3d 1.1.0", "MIT")
CAPTIONS = ("Unicode CLDR names, from emojibase-data 17.0.0", "MIT, names under Unicode-3.0")


@dataclass(frozen=True)
class Source:
    """A published source.

    Attributes:
        title: of its card.
        licence: SPDX id in lower case.
        text: whose text encoders it has.
        about: what its card says.
        data: pictures and names with their licences.
        form: `folder` of diffusers, `unet` alone in one file, or `lora` on base.
    """

    title: str
    licence: str
    text: str
    about: str
    data: tuple[tuple[str, str], ...]
    form: str = "folder"

    @property
    def languages(self) -> tuple[str, ...]:
        """What its own text encoders were taught."""
        return ("en", "ja") if self.text == "ja_encoders" else ("en",)


SOURCES = {
    "base": Source(
        "m2n2 emoji base",
        "apache-2.0",
        "base",
        "Draws everything passably, from English captions, in any of three styles: it was let go before it settled.",
        (NOTO, TWEMOJI, FLUENT, CAPTIONS),
    ),
    "ja": Source(
        "m2n2 emoji ja",
        "apache-2.0",
        "ja_encoders",
        "Understands Japanese and English captions. Draws animals and activities well, as Noto.",
        (NOTO, TWEMOJI, FLUENT, CAPTIONS),
    ),
    "flat": Source(
        "m2n2 emoji flat",
        "cc-by-4.0",
        "base",
        "English captions. Objects and activities, flat as Twemoji: the second half of its UNet was trained.",
        (TWEMOJI, NOTO, FLUENT, CAPTIONS),
    ),
    "real": Source(
        "m2n2 emoji real",
        "mit",
        "base",
        "English captions. Draws food and travel well, rounded and shaded as Fluent 3D. The first half of its UNet was "
        "trained.",
        (FLUENT, NOTO, TWEMOJI, CAPTIONS),
    ),
    "glossy": Source(
        "m2n2 emoji glossy",
        "mit",
        "base",
        "A LoRA on base. Draws food well, rounded and shaded as Fluent 3D.",
        (FLUENT, NOTO, TWEMOJI, CAPTIONS),
        form="lora",
    ),
    "late": Source(
        "m2n2 emoji late",
        "apache-2.0",
        "base",
        "A UNet alone, of which the second half was trained. Draws two things side by side well.",
        (NOTO, TWEMOJI, FLUENT, CAPTIONS),
        form="unet",
    ),
}
