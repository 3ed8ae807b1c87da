"""Small files in the form of STAIR Captions and COCO, with the embedded references for photographs."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import assets

REFERENCES = sorted((assets.EVOLVE.parent / "references").glob("*.png"))


@dataclass(frozen=True)
class StairFiles:
    captions: Path
    english: Path
    pictures: Path


def write_stair(folder, count):
    """`count` pictures with falling ids, so that order is the list's; each with two captions, the later one first."""
    files = StairFiles(folder / "stair_val.json", folder / "captions_val2014.json", folder / "val2014")
    files.pictures.mkdir(parents=True)
    images = []
    for row, reference in enumerate(REFERENCES[:count]):
        picture = {"id": 1000 - row, "file_name": f"COCO_val2014_{1000 - row:012}.png", "height": 64, "width": 64}
        shutil.copy(reference, files.pictures / picture["file_name"])
        images.append(picture)
    for path, caption in ((files.captions, "写真{}"), (files.english, "photograph {}")):
        annotations = [
            {"id": 2 * row + turn, "image_id": picture["id"], "caption": f"{caption.format(row)}{mark}"}
            for row, picture in enumerate(images)
            for turn, mark in ((1, " again"), (0, "\n"))
        ]
        content = {"info": {}, "licenses": [], "images": images, "annotations": annotations}
        path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return files
