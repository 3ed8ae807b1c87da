"""STAIR Captions as prompt sets: the data of M2N2's picture experiment (section 4.3).

The paper evolves on the last 2,000 and tests on the first 10,000 pictures of COCO's validation split, drawn from the
Japanese captions of STAIR Captions, each picture compared with the photograph that its caption describes. The split
must be val2014: 40,504 pictures, where val2017 has 5,000. What the paper leaves open is chosen here: pictures are
counted in the order in which the captions' file lists them, and of a picture's five captions the one with the lowest
annotation id counts.

The files are not ours to ship. Where they are, and what their owners say of their use:

    stair_captions_v1.2_val.json   in stair_captions_v1.2.tar.gz of github.com/STAIR-Lab-CIT/STAIR-captions;
                                   CC BY 4.0 (that repository's README)
    captions_val2014.json          COCO's own English captions, in annotations_trainval2014.zip, from
                                   http://images.cocodataset.org/annotations/annotations_trainval2014.zip;
                                   CC BY 4.0 (COCO's terms of use)
    val2014/                       the photographs, 6.65 GB, from http://images.cocodataset.org/zips/val2014.zip;
                                   COCO does not own them: Flickr's terms apply, and each one's licence is named by
                                   `license` in the files above (COCO's terms of use)

The English captions are no translations of the Japanese ones: other people wrote them about the same photographs. The
paper's cross-lingual table takes 100 captions with translations by GPT-4o instead; `pairs` has room for such.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.errors import PromptSetError
from pipelines.untrusted import UnreadableDocument, read_bytes

from .problems import first_names
from .prompt_set import Prompt, PromptSet

CATEGORY = "coco"  # the captions' files know no categories
MOST_BYTES = 1 << 30  # of a file of captions; those of COCO's training set have 70 MB
_SHOWN = 3  # names in a message


@dataclass(frozen=True)
class StairSets:
    """The prompt sets that one import makes.

    Attributes:
        evolve: what individuals compete for.
        held_out: other pictures, for reports.
        pairs: some of those held out, for the cross-lingual table; `None` where none were asked for.
    """

    evolve: PromptSet
    held_out: PromptSet
    pairs: PromptSet | None


class _Picture(BaseModel):
    model_config = ConfigDict(strict=True)

    id: int
    file_name: str


class _Annotation(BaseModel):
    model_config = ConfigDict(strict=True)

    id: int
    image_id: int
    caption: str


class _CaptionsFile(BaseModel):
    """What is read of a file in COCO's caption format."""

    images: list[_Picture]
    annotations: list[_Annotation]


def read_stair_captions(
    captions: Path,
    pictures: Path,
    folder: Path,
    *,
    english: Path | None = None,
    evolve: int,
    held_out: int,
    pairs: int,
) -> StairSets:
    """Read STAIR Captions, and make prompt sets of them and the photographs they describe.

    Args:
        captions: STAIR's JSON file, or any other in COCO's caption format with Japanese captions.
        pictures: the folder that holds the photographs under their `file_name`.
        folder: where the sets' files will lie; `reference` is relative to it.
        english: COCO's own captions of the same photographs. Left out, the sets have Japanese captions only.
        evolve: how many of the last pictures to evolve on; the paper's are 2,000.
        held_out: how many of the first pictures to hold out; the paper's are 10,000.
        pairs: how many of those to take for the cross-lingual table; the paper's are 100, 0 takes none.

    Raises:
        PromptSetError: a file is not in COCO's caption format, lists fewer pictures than asked for or has no caption
            of some, or pictures are missing.
    """
    if min(evolve, held_out) < 1 or not 0 <= pairs <= held_out:
        raise PromptSetError(
            "expected at least one prompt to evolve on and to hold out, and no more pairs than are held out, found "
            "{evolve}, {held_out} and {pairs}; ask for other numbers",
            evolve=evolve,
            held_out=held_out,
            pairs=pairs,
        )
    content = _read_captions_file(captions)
    if len(content.images) < evolve + held_out:
        raise PromptSetError(
            "{captions}: expected {expected} pictures, {evolve} to evolve on and {held_out} others to hold "
            "out, found {found}; ask for fewer, or take the captions of val2014",
            captions=captions,
            expected=evolve + held_out,
            evolve=evolve,
            held_out=held_out,
            found=len(content.images),
        )
    last, first = content.images[-evolve:], content.images[:held_out]
    chosen = [*last, *first]
    _check_pictures(pictures, chosen)
    japanese = _first_captions(captions, content, chosen)
    twins = _first_captions(english, _read_captions_file(english), chosen) if english else {}
    relative = os.path.relpath(pictures.resolve(), folder.resolve())

    def prompt_set(name: str, description: str, images: list[_Picture]) -> PromptSet:
        return PromptSet(
            name=name,
            description=description,
            prompts=tuple(
                Prompt(
                    id=str(image.id),
                    category=CATEGORY,
                    ja=japanese[image.id],
                    en=twins.get(image.id),
                    reference=Path(relative, image.file_name).as_posix(),
                )
                for image in images
            ),
        )

    held = prompt_set("stair-held-out", f"STAIR Captions of the first {held_out} pictures of {captions.name}.", first)
    about = {"name": "stair-pairs", "description": f"{pairs} of the captions held out, for cross-lingual consistency."}
    return StairSets(
        evolve=prompt_set("stair-evolve", f"STAIR Captions of the last {evolve} pictures of {captions.name}.", last),
        held_out=held,
        pairs=held.subset(pairs).model_copy(update=about) if pairs else None,
    )


def _read_captions_file(path: Path) -> _CaptionsFile:
    """Read a file in COCO's caption format."""
    try:
        return _CaptionsFile.model_validate_json(read_bytes(path, MOST_BYTES))
    except OSError as error:
        raise PromptSetError(
            "captions {path}: expected a readable JSON file, found: {reason}; check the path",
            path=path,
            reason=error.strerror,
        ) from error
    except UnreadableDocument as error:
        raise PromptSetError(
            "captions {path}: expected a file of captions, found {error}; take another", path=path, error=error
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PromptSetError(
            "captions {path}: expected JSON in COCO's caption format, `images` with id and file_name, `annotations` "
            "with id, image_id and caption, found {place}{problem}; name "
            "stair_captions_v1.2_val.json, unpacked, or for English captions_val2014.json",
            path=path,
            place=f"at {where}: " if where else "",
            problem=first["msg"],
        ) from error


def _first_captions(path: Path, content: _CaptionsFile, chosen: list[_Picture]) -> Mapping[int, str]:
    """Return, by picture, its caption with the lowest annotation id."""
    texts = {}
    for annotation in sorted(content.annotations, key=lambda one: one.id, reverse=True):
        if text := annotation.caption.strip():
            texts[annotation.image_id] = text
    without = [str(one.id) for one in chosen if one.id not in texts]
    if without:
        raise PromptSetError(
            "captions {path}: expected a caption for each of {chosen} pictures, found none for {without}: "
            "{ids}; are these the captions of the same pictures?",
            path=path,
            chosen=len(chosen),
            without=len(without),
            ids=first_names(without, _SHOWN),
        )
    return texts


def _check_pictures(folder: Path, chosen: list[_Picture]) -> None:
    """Refuse a folder that lacks one of the pictures."""
    missing = [one.file_name for one in chosen if not os.path.isfile(folder / one.file_name)]
    if missing:
        raise PromptSetError(
            "pictures {folder}: expected {chosen} pictures, {missing} are missing: {ids}; "
            "unpack val2014.zip, and name the folder that holds the pictures themselves",
            folder=folder,
            chosen=len(chosen),
            missing=len(missing),
            ids=first_names(missing, _SHOWN),
        )
