"""CycleQD as a rival: an archive per task, each giving the parents in turn."""

import numpy as np

from benchmarks.search.methods import HIGHEST, TASKS, CycleQD
from eval.prompts.prompt_set import load_prompts
from studio.runs.config import embedded


def test_cycle_qd_breeds_from_the_archive_of_one_task_after_another(family):
    """All in one cell but for the axis in which one is best: of each archive another one is left."""
    prompts = load_prompts(embedded().prompts)
    one_each = [next(one for one in prompts.prompts if one.category in task) for task in TASKS]
    method = CycleQD(embedded(seed=0), family, prompts.model_copy(update={"prompts": tuple(one_each)}))
    first = [method.ask() for _ in family]
    for candidate, best in zip(first, (0, 1, 2), strict=False):
        found = np.full(3, 0.05 * HIGHEST)
        found[best] = 0.15 * HIGHEST
        method.tell(candidate, found)
    for candidate in first[3:]:
        method.tell(candidate, np.full(3, 0.04 * HIGHEST))
    parents = [method.ask().recipe.lineage for _ in range(6)]
    names = [candidate.recipe.name for candidate in first]
    assert [(one.mother, one.father) for one in parents] == [(name, name) for name in names[:3]] * 2
    low = method.best()
    assert low[0].name == names[0]
    method.tell(method.ask(), None)
    method.tell(method.ask(), np.full(3, 0.9 * HIGHEST))
    assert method.best()[1].mean() > low[1].mean()
