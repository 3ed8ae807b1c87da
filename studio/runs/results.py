"""What a report shows, and which offspring it is about."""

from __future__ import annotations

from eval.prompts.prompt_set import PromptSet
from pipelines.recipes.recipe import Recipe

from .individual import Individual
from .store import RunStore

SHOWN = 8  # held-out prompts whose pictures are kept: spread over the categories, chosen before anybody was scored


def shown_prompts(prompts: PromptSet) -> PromptSet:
    """The held-out prompts whose pictures a report shows."""
    return prompts.subset(min(SHOWN, len(prompts)))


def best_child(store: RunStore) -> Recipe | None:
    """The offspring alive with the best mean fitness, the oldest of several; `None` before there is one."""
    alive = [individual for individual in store.individuals() if individual.alive and not individual.is_source]

    def fitness(individual: Individual) -> float:
        return sum(individual.mean(language) or 0.0 for language in store.config.compete)

    return max(alive, key=fitness).recipe if alive else None
