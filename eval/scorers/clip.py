"""open_clip models as scorers with features: how well a picture fits a caption, or another picture.

Cosines of different models are on different scales: never mix scorers, and store `identity` with every score.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image

from eval.errors import ScorerError
from eval.metrics import similarity
from pipelines.errors import Phrase

from .model_files import Files, locate
from .tokens import cleaning, open_tokenizer, token_counts

logger = logging.getLogger(__name__)

_CPU = torch.device("cpu")
_CHUNK = 1 << 26  # bytes hashed at a time: what a digest takes of memory beside the model


class ClipScorer:
    """An open_clip model that turns pictures and captions into features, and features into scores.

    Args:
        name: an open_clip model, a slash and the tag of its weights
            ("xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k"), a folder ("local-dir:/path", which holds
            `open_clip_config.json` and weights) or a hub repository ("hf-hub:owner/name"); see `model_files`.
        device: a torch device; on CUDA the model computes in float16, elsewhere in float32.
        batch_size: pictures per forward pass.
        parked: whether its weights wait in main memory from the start, as after `park`.

    Raises:
        ScorerError: there is no such model, its weights are missing or damaged, or the device is not there or full.
    """

    def __init__(self, name: str, *, device: str = "cpu", batch_size: int = 64, parked: bool = False):
        if batch_size < 1:
            raise ScorerError(
                "scorer {name!r}: expected a batch size of at least 1, found {batch_size}",
                name=name,
                batch_size=batch_size,
            )
        try:
            self.device = torch.device(device)
            torch.empty(0, device=self.device)
            files = locate(name)
            tokenizer = open_tokenizer(files)
            model, preprocess = _open_model(files)
        except ScorerError:
            raise
        except (
            Exception
        ) as error:  # hub, safetensors, torch, transformers: whatever they raise, a person needs one line
            raise ScorerError(
                "scorer {name!r} could not be opened on {device!r}: expected an open_clip model with its weights and "
                "tokenizer, found: {error}; check the name, the folder's files, the network and the device",
                name=name,
                device=device,
                error=error,
            ) from error
        self.name = name
        self.batch_size = batch_size
        self.context_length: int = tokenizer.context_length
        self._model: Any = model.eval().requires_grad_(False)
        self._preprocess = preprocess
        self._tokenizer = tokenizer
        self._text_cache: dict[str, NDArray[np.float32]] = {}
        self._where = _CPU
        self._moving = threading.RLock()
        if not parked:
            self.unpark()
        logger.info("opened scorer %s on %s", name, device)

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) over the weights: names, dtypes, shapes and bytes, in the order of their names."""
        digest = hashlib.sha256()
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            for chunk in tensor.contiguous().flatten().view(torch.uint8).split(_CHUNK):
                digest.update(chunk.cpu().numpy())
        return digest.hexdigest()

    @property
    def identity(self) -> dict[str, Any]:
        """What a score depends on besides pictures and captions; JSON, to be stored with every score.

        `name`, `sha256` (see `digest`), `context_length` in tokens, `text_cleaning` (open_clip's word for what is done
        to a caption before it is cut into tokens), `image` (size in pixels, mean and std per channel, interpolation,
        resize mode), `dtype` of the weights, and `autocast`, what they are multiplied in where that differs.
        """
        return {
            "name": self.name,
            "sha256": self.digest,
            "context_length": self.context_length,
            "text_cleaning": cleaning(self._tokenizer),
            "image": json.loads(json.dumps(open_clip.get_model_preprocess_cfg(self._model))),  # tuples to lists
            "dtype": str(next(self._model.parameters()).dtype).removeprefix("torch."),
            "autocast": "float16" if self.device.type == "cuda" else None,
        }

    @property
    def weights_bytes(self) -> int:
        """Memory that the weights take, on the device or, parked, beside it."""
        return sum(tensor.nbytes for tensor in (*self._model.parameters(), *self._model.buffers()))

    @property
    def parked(self) -> bool:
        """Whether the weights wait in main memory; never on the CPU."""
        return self._where != self.device

    def park(self) -> None:
        """Leave the device to others: weights wait in main memory and visit the device only while they are used."""
        with self._moving:
            self._move(_CPU)

    def unpark(self) -> None:
        """Bring the weights back to the device, to stay.

        Raises:
            ScorerError: the device has no room for them; they stay in main memory.
        """
        with self._moving:
            self._move(self.device)

    @contextmanager
    def on_device(self) -> Iterator[None]:
        """The weights on the device inside, and back where they were after: moves a parked model once for many calls.

        Scores are the same bits, parked or not. Other threads wait, so that nobody moves weights that are in use.

        Raises:
            ScorerError: the device has no room for the weights.
        """
        with self._moving:
            before = self._where
            self._move(self.device)
            try:
                yield
            finally:
                self._move(before)

    def release(self) -> None:
        """Free the weights, wherever they are; the scorer scores no more. For the next one to have room."""
        with self._moving:
            self._model = None
            if self._where.type == "cuda":
                torch.cuda.empty_cache()  # what torch keeps of it, no other process can have

    def text_features(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Features of captions, remembered per text.

        Every caption goes through the model alone, so that its features do not depend on the company it came in: a
        resumed run must see the same bits. Pictures may be batched: one evaluation's always come in the same order.

        Returns:
            float32 [n, d], rows of length 1.

        Raises:
            ScorerError: `captions` is empty, the model gives NaN, or the device is full.
        """
        if not captions:
            raise ScorerError("scorer {name!r}: expected at least one caption, found none", name=self.name)
        new = [text for text in dict.fromkeys(captions) if text not in self._text_cache]
        if new:
            with self.on_device():
                for text in new:
                    tokens = self._tokenizer([text])  # [1, context_length]
                    self._text_cache[text] = self._features(self._model.encode_text, tokens, f"caption {text!r}")[0]
        return np.stack([self._text_cache[text] for text in captions])

    def image_features(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Features of pictures of any size; the model's own transform resizes them and crops them to a square.

        Returns:
            float32 [n, d], rows of length 1. The same pictures in the same order give the same bits.

        Raises:
            ScorerError: `pictures` is empty, the model gives NaN, or the device is full.
        """
        if not pictures:
            raise ScorerError("scorer {name!r}: expected at least one picture, found none", name=self.name)
        blocks = []
        with self.on_device():
            for start in range(0, len(pictures), self.batch_size):
                batch = pictures[start : start + self.batch_size]
                pixels = torch.stack([self._preprocess(image) for image in batch])  # [b, 3, height, width]
                what = f"pictures {start} to {start + len(batch) - 1}"
                blocks.append(self._features(self._model.encode_image, pixels, what))
        return np.concatenate(blocks)

    def score(self, pictures: Sequence[Image.Image], captions: Sequence[str]) -> NDArray[np.float64]:
        """How well each picture fits its own caption: CLIP cosine, negative ones counted as 0.

        Returns:
            float64 [n], in 0..1.

        Raises:
            ScorerError: not one caption per picture, or as the features.
        """
        self._check_pairs(len(pictures), len(captions), "caption")
        return similarity(self.image_features(pictures), self.text_features(captions))

    def image_image(self, pictures: Sequence[Image.Image], references: Sequence[Image.Image]) -> NDArray[np.float64]:
        """How like each picture is to its own reference: cosine of image features (the paper's NCS, M2N2 section 4.3).

        Returns:
            float64 [n], in 0..1.

        Raises:
            ScorerError: not one reference per picture, or as the features.
        """
        self._check_pairs(len(pictures), len(references), "reference")
        return similarity(self.image_features(pictures), self.image_features(references))

    def _check_pairs(self, pictures: int, others: int, what: str) -> None:
        if pictures != others:
            raise ScorerError(
                "scorer {name!r}: expected one {what} per picture, found {pictures} pictures, {others} {what}s",
                name=self.name,
                what=what,
                pictures=pictures,
                others=others,
            )

    def token_count(self, text: str) -> int:
        """Tokens of a caption before truncation, begin and end marks included."""
        return token_counts(self._tokenizer, [text])[0]

    def truncated(self, captions: Sequence[str]) -> list[str]:
        """The captions that do not fit into `context_length`: open_clip cuts their end off without a word."""
        return [text for text in captions if self.token_count(text) > self.context_length]

    def _move(self, device: torch.device) -> None:
        if device == self._where:
            return
        try:
            self._model.to(device)
        except torch.OutOfMemoryError as error:
            self._model.to(_CPU)
            self._where = _CPU
            raise self._no_room(Phrase("{size:.1f} GB for its weights", size=self.weights_bytes / 1e9)) from error
        self._where = device
        if device == _CPU and self.device.type == "cuda":
            torch.cuda.empty_cache()  # what torch keeps of it, no other process can have

    def _features(
        self, encode: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, what: str
    ) -> NDArray[np.float32]:
        """Features [n, d] of a batch, rows of length 1."""
        try:
            # The weights stay float32 so that `digest` names the same model on every device.
            half = torch.autocast(self.device.type, dtype=torch.float16, enabled=self.device.type == "cuda")
            with torch.inference_mode(), half:
                features = encode(inputs.to(self.device))
        except torch.OutOfMemoryError as error:
            raise self._no_room(Phrase("room for {what}, {n} at a time", what=what, n=self.batch_size)) from error
        features = torch.nn.functional.normalize(features.float(), dim=-1)
        if not torch.isfinite(features).all():
            raise ScorerError(
                "scorer {name!r}: expected finite features for {what}, found NaN or infinity; "
                "its weights are damaged, or the device cannot compute it",
                name=self.name,
                what=what,
            )
        return features.cpu().numpy()

    def _no_room(self, wanted: Phrase) -> ScorerError:
        return ScorerError(
            "scorer {name!r}: expected {wanted} on {device!r}, found its memory full; move the "
            "pipeline aside first, choose a smaller scorer, or score on 'cpu'",
            name=self.name,
            wanted=wanted,
            device=str(self.device),
        )


def _open_model(files: Files) -> tuple[torch.nn.Module, Callable[[Image.Image], torch.Tensor]]:
    """Model in main memory and picture transform, from files alone."""
    model, _, preprocess = open_clip.create_model_and_transforms(
        files.architecture, text_cfg=files.text_cfg, require_pretrained=True, weights_only=True, **files.options
    )
    return model, preprocess
