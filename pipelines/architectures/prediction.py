"""What a UNet predicts, noise (epsilon) or velocity (v), as files, trainers and people say it.

At the noise level (a, s), with a^2 + s^2 = 1, a UNet sees x = a * x0 + s * e. Asked for e, or for v = a * e - s * x0
(Salimans and Ho, Progressive Distillation, 2022, appendix D), it has the same shapes and the same names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

EPSILON, VELOCITY = "epsilon", "v_prediction"  # as diffusers' schedulers call them

_SPELLINGS = {
    **dict.fromkeys(("epsilon", "eps"), EPSILON),
    **dict.fromkeys(("v", "v_prediction", "v_pred", "vpred", "vprediction", "velocity"), VELOCITY),
}
_SAID_BY = ("modelspec.prediction_type", "modelspec.predict_key", "prediction_type", "predict_key")
_SAID_BY_TRAINER = "ss_v_parameterization"  # kohya's: True, False or None
_ZERO_SNR_KEYS = ("ss_zero_terminal_snr", "zero_terminal_snr", "ztsnr")
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True)
class StatedPrediction:
    """What somebody says a source predicts, whatever its file says.

    Attributes:
        prediction_type: as diffusers' schedulers call it.
        zero_terminal_snr: whether it was trained on a schedule that ends in pure noise; `None`: as its file says.
    """

    prediction_type: str
    zero_terminal_snr: bool | None = None


#: What may be written after `as` where a source is named.
STATED_PREDICTIONS: Mapping[str, StatedPrediction] = {
    "epsilon": StatedPrediction(EPSILON, False),  # epsilon of pure noise would be the input itself
    "v-prediction": StatedPrediction(VELOCITY),
    "v-prediction+ztsnr": StatedPrediction(VELOCITY, True),
}


def marked_prediction(marks: Collection[str]) -> str | None:
    """Return what a single file's own tensors say; EDM models that do not predict v predict noise.

    Args:
        marks: keys of the file; those that are weights do not matter.
    """
    if "v_pred" in marks or any(mark.startswith("edm_vpred.") for mark in marks):
        return VELOCITY
    return EPSILON if "edm_mean" in marks else None


def prediction_in(metadata: Mapping[str, str]) -> str | None:
    """Return what a file's header says: in ModelSpec's words, in plain ones, or in those of kohya's trainer."""
    for key in _SAID_BY:
        spelling = str(metadata.get(key, "")).strip().lower().replace("-", "_").replace(" ", "_")
        if spelling in _SPELLINGS:
            return _SPELLINGS[spelling]
    trained = str(metadata.get(_SAID_BY_TRAINER, "")).strip().lower()
    return VELOCITY if trained in _YES else EPSILON if trained in _NO else None


def zero_terminal_snr_in(metadata: Mapping[str, str]) -> bool:
    """Return whether a file's header says that its noise schedule ends in pure noise."""
    return any(str(metadata.get(key, "")).strip().lower() in _YES for key in _ZERO_SNR_KEYS)
