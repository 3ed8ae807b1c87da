"""What the kept sources draw, row by row on the same captions and noise: `contact_sheet.png`.

Run `python -m assets.training.contact_sheet`. Each reads its captions through its own text encoders in English, then
all of them through those of `ja` in Japanese, as in a merge.
"""

from __future__ import annotations

from pathlib import Path

from assets.training.base import ja_encoders, trained_base
from assets.training.loop import restore, setup
from assets.training.phrases import article
from assets.training.sample import Sampler, sheet
from assets.training.specialist import SPECIALISTS, LowRank, learner
from assets.training.unet import Denoiser
from assets.training.vae import decoder

SHEET = Path(__file__).with_name("contact_sheet.png")
#: Four names of each category, then pairs of names; none of the pairs was trained on.
NAMES = (
    ("fox", "キツネの顔"),
    ("panda", "パンダの顔"),
    ("butterfly", "チョウ"),
    ("cactus", "サボテン"),
    ("cupcake", "カップケーキ"),
    ("waffle", "ワッフル"),
    ("mango", "マンゴー"),
    ("potato", "ジャガイモ"),
    ("hotel", "ホテル"),
    ("tractor", "トラクター"),
    ("snowflake", "雪の結晶"),
    ("anchor", "錨"),
    ("tennis", "テニス"),
    ("teddy bear", "テディベア"),
    ("joystick", "ジョイスティック"),
    ("jack-o-lantern", "ハロウィンかぼちゃ"),
    ("pencil", "鉛筆"),
    ("lipstick", "口紅"),
    ("jeans", "ジーンズ"),
    ("bucket", "バケツ"),
)
PAIRED = (("fox", "pencil"), ("cactus", "hotel"), ("mango", "bucket"), ("panda", "tennis"))


def main() -> None:
    """Draw seven rows in English and seven in Japanese."""
    base, ja, vae = trained_base(), ja_encoders(), decoder()
    longer = restore("longer_base", Denoiser())
    unets = {"base": base.unet, "longer_base": longer.unet}
    for name in SPECIALISTS:
        unet = restore(name, learner(name, base)).unet
        unets[name] = unet.baked() if isinstance(unet, LowRank) else unet
    own = {"longer_base": longer.text, "ja": ja}
    known = dict(NAMES)
    english = [name for name, _ in NAMES] + [f"{article(one)} and {article(other)}" for one, other in PAIRED]
    japanese = [name for _, name in NAMES] + [f"{known[one]}と{known[other]}" for one, other in PAIRED]
    rows = [Sampler(own.get(name, base.text), vae).draw(unet, english) for name, unet in unets.items()]
    rows += [Sampler(ja, vae).draw(unet, japanese) for name, unet in unets.items() if name != "longer_base"]
    sheet(rows, SHEET)


if __name__ == "__main__":
    setup(0)
    main()
