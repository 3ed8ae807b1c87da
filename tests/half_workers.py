"""Workers of which some draw in half precision, on a machine that has no device for that: as on two kinds of GPUs."""

import dataclasses

import torch

from pipelines.generation import live_pipeline
from studio.evaluation.run_worker import open_run_worker

WHOLE, HALF = 32, 16  # in place of numbers of devices


def open_whole_or_half(config, scorer, device):
    """Open a worker in its own process, with the weights in float32 or in bfloat16."""
    if device == HALF:
        here = live_pipeline.this_machine()
        half = dataclasses.replace(here, device=torch.device("cpu"), memory=here.ram, bf16=True)
        live_pipeline.this_machine = lambda: half
    return open_run_worker(config, scorer, 1, None)
