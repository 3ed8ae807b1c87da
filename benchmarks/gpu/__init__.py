"""What only a machine with a GPU can tell, on full-size SDXL with random weights.

Memory against the device plan, weaving in place against the card's own copy, compiled blocks under re-weaves,
offloading under a memory limit, and where the time of an evaluation goes.

It imports `pipelines`, `eval` and `benchmarks.full_size`, and no `studio`: a borrowed machine has few packages. Read
`__main__` first, then `bench`, then a part: `weaving`, `evaluation` (with `memory` and `stopwatch`), `offloading`,
`compiled`.
"""
