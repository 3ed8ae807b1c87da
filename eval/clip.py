"""open_clip models as scorers: how well a picture fits a caption, or another picture.

Cosines of different models are on different scales: never mix scorers, and store `name` and `digest` with every score.
"""

import hashlib
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image

from eval.errors import ScorerError
from eval.metrics import similarity

logger = logging.getLogger(__name__)


class ClipScorer:
    """An open_clip model that turns pictures and captions into features, and features into scores.

    Args:
        name: an open_clip model ("xlm-roberta-base-ViT-B-32"), a folder ("local-dir:/path", which holds
            `open_clip_config.json` and weights) or a hub repository ("hf-hub:owner/name").
        pretrained: the tag or file of the weights; only for a plain model name, which has none of its own.
        device: a torch device; on CUDA the model computes in float16, elsewhere in float32.
        batch_size: pictures per forward pass.

    Raises:
        ScorerError: there is no such model, its weights are missing or damaged, or the device is not there.
    """

    def __init__(self, name: str, *, pretrained: str | None = None, device: str = "cpu", batch_size: int = 64):
        if batch_size < 1:
            raise ScorerError(f"scorer {name!r}: expected a batch size of at least 1, found {batch_size}")
        if ":" not in name and pretrained is None:
            raise ScorerError(_no_weights_named(name))
        try:
            model, _, preprocess = open_clip.create_model_and_transforms(
                name, pretrained=pretrained, device=device, require_pretrained=True
            )
            tokenizer = open_clip.get_tokenizer(name)
        except (
            Exception
        ) as error:  # hub, safetensors, torch, transformers: whatever they raise, a person needs one line
            raise ScorerError(
                f"scorer {name!r} could not be opened on {device!r}: expected an open_clip model with its weights and "
                f"tokenizer, found: {error}; check the name, the folder's files, the network and the device"
            ) from error
        self.name = name
        self.device = torch.device(device)
        self.batch_size = batch_size
        self.context_length: int = tokenizer.context_length
        self._model = model.eval().requires_grad_(False)
        self._preprocess = preprocess
        self._tokenizer = tokenizer
        self._text_cache: dict[str, NDArray[np.float32]] = {}
        logger.info("opened scorer %s on %s", name, device)

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) over the weights: names, dtypes, shapes and bytes, in the order of their names."""
        digest = hashlib.sha256()
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def text_features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of captions, remembered per text.

        Every caption goes through the model alone, so that its features do not depend on the company it came in: a
        resumed run must see the same bits. Pictures may be batched: one evaluation's always come in the same order.

        Returns:
            float32 [n, d], rows of length 1.

        Raises:
            ScorerError: `texts` is empty, or the model gives NaN.
        """
        if not texts:
            raise ScorerError(f"scorer {self.name!r}: expected at least one caption, found none")
        for text in dict.fromkeys(texts):
            if text not in self._text_cache:
                tokens = self._tokenizer([text]).to(self.device)  # [1, context_length]
                with torch.inference_mode(), self._precision():
                    features = self._model.encode_text(tokens)
                self._text_cache[text] = self._unit(features, f"caption {text!r}")[0]
        return np.stack([self._text_cache[text] for text in texts])

    def image_features(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Features of pictures of any size; the model's own transform resizes them and crops them to a square.

        Returns:
            float32 [n, d], rows of length 1. The same pictures in the same order give the same bits.

        Raises:
            ScorerError: `images` is empty, or the model gives NaN.
        """
        if not images:
            raise ScorerError(f"scorer {self.name!r}: expected at least one picture, found none")
        blocks = []
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            pixels = torch.stack([self._preprocess(image) for image in batch]).to(self.device)  # [b, 3, height, width]
            with torch.inference_mode(), self._precision():
                features = self._model.encode_image(pixels)
            blocks.append(self._unit(features, f"pictures {start} to {start + len(batch) - 1}"))
        return np.concatenate(blocks)

    def text_image(self, images: Sequence[Image.Image], texts: Sequence[str]) -> NDArray[np.float64]:
        """How well each picture fits its own caption: CLIP cosine, negative ones counted as 0.

        Returns:
            float64 [n], in 0..1.

        Raises:
            ScorerError: not one caption per picture, or as the features.
        """
        self._check_pairs(len(images), len(texts), "caption")
        return similarity(self.image_features(images), self.text_features(texts))

    def image_image(self, images: Sequence[Image.Image], references: Sequence[Image.Image]) -> NDArray[np.float64]:
        """How like each picture is to its own reference: cosine of image features (the paper's NCS, M2N2 section 4.3).

        Returns:
            float64 [n], in 0..1.

        Raises:
            ScorerError: not one reference per picture, or as the features.
        """
        self._check_pairs(len(images), len(references), "reference")
        return similarity(self.image_features(images), self.image_features(references))

    def _check_pairs(self, pictures: int, others: int, what: str) -> None:
        if pictures != others:
            raise ScorerError(
                f"scorer {self.name!r}: expected one {what} per picture, found {pictures} pictures, {others} {what}s"
            )

    def token_count(self, text: str) -> int:
        """Tokens of a caption before truncation, begin and end marks included."""
        tokenizer = getattr(self._tokenizer, "tokenizer", None)
        if tokenizer is None:  # open_clip's own byte pairs: begin and end are added around `encode`
            return len(self._tokenizer.encode(text)) + 2
        clean = getattr(self._tokenizer, "clean_fn", str)
        return len(tokenizer(clean(text), truncation=False, verbose=False).input_ids)

    def truncated(self, texts: Sequence[str]) -> list[str]:
        """The captions that do not fit into `context_length`: open_clip cuts their end off without a word."""
        return [text for text in texts if self.token_count(text) > self.context_length]

    def _precision(self) -> AbstractContextManager[object]:
        # The weights stay float32 so that `digest` names the same model on every device.
        return torch.autocast(self.device.type, dtype=torch.float16, enabled=self.device.type == "cuda")

    def _unit(self, features: torch.Tensor, what: str) -> NDArray[np.float32]:
        features = torch.nn.functional.normalize(features.float(), dim=-1)
        if not torch.isfinite(features).all():
            raise ScorerError(
                f"scorer {self.name!r}: expected finite features for {what}, found NaN or infinity; "
                "its weights are damaged, or the device cannot compute it"
            )
        return features.cpu().numpy()


def _no_weights_named(name: str) -> str:
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not tags:
        return (
            f"scorer {name!r}: expected an open_clip model with published weights, found none of that name; use "
            "'local-dir:/path', 'hf-hub:owner/name', or a name from open_clip.list_pretrained() with `pretrained`"
        )
    return f"scorer {name!r}: expected `pretrained` with a model name, found none; choose one of: {', '.join(tags)}"
