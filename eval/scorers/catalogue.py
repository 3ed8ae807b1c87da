"""Scorers for full-size sources: which open_clip models, and why. Every figure says where it was read.

Fitness is the match of a picture with a Japanese caption, so Japanese retrieval decides. Crossmodal-3600 (3,600
pictures with captions by native speakers), the picture for a Japanese caption, recall at 1:

    xlm-roberta-large-ViT-H-14        0.726   open_clip, docs/openclip_multilingual_retrieval_results.csv
    nllb-clip-large-siglip, tag mrl   0.700   the same table
    xlm-roberta-base-ViT-B-32         0.638   the same table
    ViT-B-16-SigLIP-i18n-256          0.432   the same table
    SigLIP2 ViT-B-16, 256 pixels      0.383   card of llm-jp/waon-siglip2-base-patch16-256, with 0.726 for ViT-H-14
    SigLIP2 SO400M, MetaCLIP2         not found by language; MetaCLIP2 ViT-H-14: 0.643 over all languages, picture to
                                      caption (Chuang et al. 2025)

On COCO captions in Japanese the same table gives ViT-H-14 0.643 and ViT-B-32 0.472. STAIR captions: not found for
these models. On naming Japanese things (ImageNet in Japanese, Recruit's set, WAON-Bench) the card gives SigLIP2
ViT-B-16 48.1, 77.0 and 87.8 %, ViT-H-14 47.7, 70.6 and 85.9 %: sentences are where they part.

So XLM-RoBERTa with ViT-H-14 is fitness, and SigLIP2 reports: other training data (WebLI, not LAION-5B), another loss
(sigmoid), tokenizer (Gemma's) and picture tower, so that a child that only pleases the one is found out by the other.
Each has a small sibling for machines where 5 GB are too much. All four may be used commercially. Not chosen:

    MetaCLIP2 worldwide   its repository's LICENSE is CC-BY-NC-4.0, no licence for a studio's work; 1.86 billion
                          parameters in float32 are 7.4 GB, half of them a vocabulary of 901,629 tokens
    NLLB-CLIP             CC-BY-NC-4.0 (card), and it must be told the language of each caption
    llm-jp-clip           Japanese only: the English half of the report would mean nothing

Captions are cut at 77 tokens by the XLM-RoBERTa models (open_clip's default; the tower itself would take more) and at
64 by SigLIP2. How many Japanese characters that is was not found; `ClipScorer.truncated` counts for the captions at
hand. Pictures are cropped to a square by the XLM-RoBERTa models and squashed to one by SigLIP2: for square pictures,
which SDXL draws best, that is the same.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RecommendedScorer:
    """An open_clip model for scoring full-size sources, with what a person must know before downloading it."""

    model: str  # open_clip's name of the architecture
    tag: str  # open_clip's name of the weights
    short_name: str  # what a sentence calls it
    repository: str  # on the Hugging Face hub, where open_clip takes the weights from
    file: str  # of the weights, in that repository
    bytes: int  # of that file, as the hub lists it
    licence: str  # SPDX, from the repository's card
    family: str  # a report is only worth something by another family than fitness
    context_length: int  # tokens of a caption that count
    image_size: int  # pixels, both sides
    japanese: float | None  # recall at 1 on Crossmodal-3600, picture for a Japanese caption; None: not found
    why: str

    @property
    def name(self) -> str:
        """What `ClipScorer` takes and run files hold."""
        return f"{self.model}/{self.tag}"

    @property
    def label(self) -> str:
        """What a list to choose from calls it, with its licence and what it takes to fetch."""
        return f"{self.model} ({self.licence}, {self.bytes / 1e9:.1f} GB)"


XLM_ROBERTA_H = RecommendedScorer(
    model="xlm-roberta-large-ViT-H-14",
    tag="frozen_laion5b_s13b_b90k",
    short_name="XLM-R ViT-H-14",
    repository="laion/CLIP-ViT-H-14-frozen-xlm-roberta-large-laion5B-s13B-b90k",
    file="open_clip_pytorch_model.bin",
    bytes=4_770_000_000,
    licence="MIT",
    family="LAION CLIP",
    context_length=77,
    image_size=224,
    japanese=0.726,
    why="the best Japanese retrieval found for any model that may be used commercially",
)
XLM_ROBERTA_B = RecommendedScorer(
    model="xlm-roberta-base-ViT-B-32",
    tag="laion5b_s13b_b90k",
    short_name="XLM-R ViT-B-32",
    repository="laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k",
    file="open_clip_pytorch_model.bin",
    bytes=1_460_000_000,
    licence="MIT",
    family="LAION CLIP",
    context_length=77,
    image_size=224,
    japanese=0.638,
    why="a third of the memory of ViT-H-14, still far ahead of SigLIP2's base model on Japanese sentences",
)
SIGLIP2_SO400M = RecommendedScorer(
    model="ViT-SO400M-16-SigLIP2-256",
    tag="webli",
    short_name="SigLIP2 SO400M",
    repository="timm/ViT-SO400M-16-SigLIP2-256",
    file="open_clip_model.safetensors",
    bytes=4_540_000_000,
    licence="Apache-2.0",
    family="SigLIP2",
    context_length=64,
    image_size=256,
    japanese=None,
    why="as large as the fitness model, and independent of it in data, loss, tokenizer and picture tower",
)
SIGLIP2_B = RecommendedScorer(
    model="ViT-B-16-SigLIP2-256",
    tag="webli",
    short_name="SigLIP2 ViT-B-16",
    repository="timm/ViT-B-16-SigLIP2-256",
    file="open_clip_model.safetensors",
    bytes=1_500_000_000,
    licence="Apache-2.0",
    family="SigLIP2",
    context_length=64,
    image_size=256,
    japanese=0.383,
    why="a third of the memory of SO400M; names Japanese things as well as ViT-H-14, follows sentences worse",
)

RECOMMENDED = (XLM_ROBERTA_H, XLM_ROBERTA_B, SIGLIP2_SO400M, SIGLIP2_B)
FITNESS_SCORER, REPORTING_SCORER = XLM_ROBERTA_H, SIGLIP2_SO400M  # of full-size sources, unless a run says otherwise
SCORER, REPORTER = FITNESS_SCORER.name, REPORTING_SCORER.name


def recommended(name: str) -> RecommendedScorer | None:
    """The recommended scorer of this name; None for any other name, which scores as well but is not described here."""
    return next((one for one in RECOMMENDED if one.name == name), None)
