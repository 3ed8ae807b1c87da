"""A small SDXL with the true set of keys: every name of the real checkpoints, shrunk shapes, random weights.

    folder = small_sdxl(tmp_path / "one", seed=0)                # a complete diffusers folder, float16, about 7 MB
    path = small_single_file(folder, tmp_path / "one.safetensors")   # the same weights under the 2,515 SGM names

It is made from SDXL's configuration with other widths: 3 levels with 1, 2 and 10 transformer blocks, CLIP-L of 12
layers, CLIP-G of 32, a VAE of 4 levels. The widths differ where SDXL's do, as resnets have a shortcut only there, and
between the text encoders, as diffusers tells these apart by width. As in SDXL's own folder, the encoders' configs say
float16: `from_single_file` needs a `dtype` then, or leaves their parts in two.
"""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import accelerate
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

import assets
from pipelines.architectures.keys import canonical_name
from pipelines.architectures.sdxl_single_file import LOGIT_SCALE, POSITION_IDS, to_single_file

POSITIONS = 77
WIDTH_L, WIDTH_G = 32, 48
UNET = {
    "sample_size": 8,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (16, 24, 32),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (2, 3, 4),
    "cross_attention_dim": WIDTH_L + WIDTH_G,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + WIDTH_G,
    "use_linear_projection": True,
    "norm_num_groups": 8,
}
FULL_UNETS = {  # published configurations, as far as they decide names and shapes; only for the meta device
    "SDXL": {
        **UNET,
        "block_out_channels": (320, 640, 1280),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
        "norm_num_groups": 32,
    },
    "SDXL refiner": {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "block_out_channels": (384, 768, 1536, 1536),
        "transformer_layers_per_block": 4,
        "attention_head_dim": (6, 12, 24, 24),
        "cross_attention_dim": 1280,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2560,
        "use_linear_projection": True,
    },
    "Stable Diffusion 1.5": {"cross_attention_dim": 768, "attention_head_dim": 8},
    "Stable Diffusion 2": {
        "cross_attention_dim": 1024,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
    },
}
VAE = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (8, 16, 32, 32),
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 8,
    "sample_size": 64,
    "scaling_factor": 0.13025,
}
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}
COUNTS = {"unet": 1680, "vae": 248, "text_encoder": 197, "text_encoder_2": 390}  # keys of a whole single file
FILES = {
    "unet": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
    "text_encoder_2": "model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
}


def small_sdxl(folder: Path, seed: int) -> Path:
    """Write a complete diffusers folder; the same seed gives the same weights, and no two of its tensors are equal."""
    return Path(shutil.copytree(_made_once(seed), folder, dirs_exist_ok=True))


@functools.cache
def _made_once(seed: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="small-sdxl-"))
    atexit.register(shutil.rmtree, folder)
    tokenizer = CLIPTokenizer.from_pretrained(assets.FAMILY / "base" / "tokenizer", model_max_length=POSITIONS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = StableDiffusionXLPipeline(
            vae=_shaken(AutoencoderKL(**VAE)),
            text_encoder=_shaken(CLIPTextModel(_clip(tokenizer, WIDTH_L, 12, hidden_act="quick_gelu"))),
            text_encoder_2=_shaken(CLIPTextModelWithProjection(_clip(tokenizer, WIDTH_G, 32, hidden_act="gelu"))),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=_shaken(UNet2DConditionModel(**UNET)),
            scheduler=EulerDiscreteScheduler(**SCHEDULER),
            add_watermarker=False,
        )
    pipeline.save_pretrained(folder)
    path = folder / "text_encoder" / FILES["text_encoder"]  # for a model built in code transformers leaves a prefix out
    tensors = {canonical_name("text_encoder", key): tensor for key, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    return folder


def full_unet(name: str, **changes: object) -> dict[str, torch.Tensor]:
    """The state of a UNet in `FULL_UNETS`: true names and shapes, no memory behind them."""
    with accelerate.init_empty_weights():
        return dict(UNet2DConditionModel(**{**FULL_UNETS[name], **changes}).state_dict())


def shapes(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """Name to shape."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def tensors_of(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Component to canonical name to tensor."""
    return {part: load_file(folder / part / name) for part, name in FILES.items()}


def to_file(component: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a component as a single file holds them, as `to_single_file` plans."""
    stored = {}
    for item in to_single_file(component, shapes(tensors)):
        parts = [tensors[part].t() if item.transposed else tensors[part] for part in item.parts]
        stored[item.key] = (torch.cat(parts) if len(parts) > 1 else parts[0]).reshape(item.shape).contiguous()
    return stored


def small_single_file(folder: Path, path: Path, *, buffers: bool = True, **metadata: str) -> Path:
    """Write the weights of a folder as a single file, with `position_ids` and `logit_scale` unless `buffers` is off."""
    stored: dict[str, torch.Tensor] = {}
    for part, tensors in tensors_of(folder).items():
        stored |= to_file(part, tensors)
    if buffers:
        stored[POSITION_IDS] = torch.arange(POSITIONS)[None]
        stored[LOGIT_SCALE] = torch.tensor(4.6055, dtype=torch.float16)
    save_file(stored, path, metadata=metadata or None)
    return path


def _clip(tokenizer: CLIPTokenizer, width: int, layers: int, **options: object) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 16,
        max_position_embeddings=POSITIONS,
        **options,
    )


def _shaken(model: torch.nn.Module) -> torch.nn.Module:
    """The model in float16 with noise on every weight: a fresh one has many equal tensors, which hide mix-ups."""
    for parameter in model.parameters():
        parameter.data = (parameter.data + 0.02 * torch.randn_like(parameter)).to(torch.float16)
    return model
