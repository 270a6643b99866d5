"""Ant-colony feature selection: which features, and how many, tell expressions apart; by training data alone.

Ants build subsets of features. What an ant takes next follows the pseudo-random proportional rule of the Ant
Colony System (Dorigo & Gambardella, IEEE Transactions on Evolutionary Computation 1997): with chance q0 the
feature left with the largest pheromone^alpha * desirability^beta, else one drawn in proportion to that. Pheromone
lies on the features, not on ways between them, since a subset has no order (Kanan & Faez, Applied Mathematics and
Computation 2008; Aghdam et al., Expert Systems with Applications 2009). After an iteration the share `decay` of
all pheromone evaporates and the best subset so far gets as much, which keeps it within [0, 1] (the hyper-cube
framework: Blum & Dorigo, IEEE Transactions on Systems, Man and Cybernetics B 2004).

- Desirability: the impurity that a feature takes away in a forest (`desirability`). A forest also sees what lies
  in a feature's spread, or in several features together, where an F-score sees means. Features that are worth
  less than most shuffled ones are left alone (after Kursa & Rudnicki, Journal of Statistical Software 2010).
- Fitness: how often a sample's nearest neighbours show the sample's own expression (`Judge`). A useless feature
  lowers it, which a forest's accuracy hardly shows; so it needs no penalty for size.
- Size: an ant takes one feature after the other until none is left, and looks back at the way: it keeps the
  largest subset that was as good as its best one (`largest_as_good`). So their number comes out of the search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from seqfer.classic.config import SelectionConfig
from seqfer.errors import ModelError
from seqfer.machine import usable_cores

CHANCE = 0.95  # a feature must be worth more than this share of the shuffled ones; of useless ones 5 % are, too
MOST_TRIED = 512  # features at a split of the forest: enough to find the good ones, few enough to be quick
GROWTH = 1.125  # of a subset between two looks at its fitness
FIRST_PHEROMONE, LEAST_PHEROMONE = 0.5, 1e-6


@dataclass(frozen=True)
class Iteration:
    """What the colony knows after an iteration.

    Attributes:
        number: of iterations done.
        fitness: the best so far.
        size: of the subset that was kept for it.
        mean_fitness: over this iteration's ants, of the best on each one's way.
    """

    number: int
    fitness: float
    size: int
    mean_fitness: float


@dataclass(frozen=True)
class Selection:
    """The features that a colony chose.

    Attributes:
        features: (M,) int64 positions, ascending.
        fitness: of this subset, in [0, 1].
        candidates: features that were worth more than 19 of 20 shuffled ones.
        rows: samples by which all this was judged.
        history: of the search.
    """

    features: NDArray[np.int64]
    fitness: float
    candidates: int
    rows: int
    history: tuple[Iteration, ...]

    def __repr__(self) -> str:
        return f"Selection({len(self.features)} of {self.candidates} candidates, fitness {self.fitness:.3f})"


def select_features(
    features: NDArray[np.float32],
    truth: NDArray[np.int64],
    config: SelectionConfig,
    seed: int,
    report: Callable[[Iteration], None] = lambda iteration: None,
) -> Selection:
    """Choose features by an ant colony.

    Args:
        features: (N, D) of training samples. Real ones: a synthetic sample lies between two others of its class,
            and has its like beside it whatever the features.
        truth: (N,) class indices.
        config: of the colony.
        seed: of all chance; the same gives the same.
        report: called after each iteration.

    Raises:
        ModelError: no feature is worth more than shuffled ones.
    """
    rng = np.random.default_rng(seed)
    rows = even_rows(truth, config.rows, rng)
    own, classes = features[rows], truth[rows]
    worth, chance = desirability(own, classes, config.trees, rng)
    candidates = np.flatnonzero(worth > chance)
    if not len(candidates):
        raise ModelError(
            "no feature tells the training clips' expressions apart better than chance; choose other "
            "features.weights, or set selection.on to false"
        )
    judge = Judge(own[:, candidates], classes, config.neighbours)
    attraction = config.beta * np.log(worth[candidates])
    pheromone = np.full(len(candidates), FIRST_PHEROMONE)
    best, kept, kept_fitness = -1.0, np.zeros(len(candidates), bool), 0.0  # any subset is better than none
    history = []
    for number in range(1, config.iterations + 1):
        walks = walk(config.alpha * np.log(pheromone) + attraction, config.ants, config.q0, rng)
        found = np.stack([judge.fitness_along(ant) for ant in walks])
        leader = int(found.max(1).argmax())
        if found[leader].max() > best:
            best = float(found[leader].max())
            last = largest_as_good(found[leader], len(rows))
            kept, kept_fitness = walks[leader] <= last, float(found[leader, last])
        pheromone = np.maximum((1 - config.decay) * pheromone + config.decay * kept, LEAST_PHEROMONE)
        history.append(Iteration(number, best, int(kept.sum()), float(found.max(1).mean())))
        report(history[-1])
    return Selection(candidates[kept], kept_fitness, len(candidates), len(rows), tuple(history))


def even_rows(truth: NDArray[np.int64], wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `wanted` positions in `truth`, ascending, drawn as evenly from its classes as they allow."""
    order = rng.permutation(len(truth))
    turn = np.empty(len(truth), np.int64)
    for label in np.unique(truth):
        own = order[truth[order] == label]
        turn[own] = np.arange(len(own))
    # Every class's first sample, then every class's second one, until there are enough.
    return np.sort(order[np.argsort(turn[order], kind="stable")][:wanted])


def desirability(
    features: NDArray[np.float32], truth: NDArray[np.int64], trees: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """What features are worth: the share of the impurity that each takes away in a forest; classes count the same.

    The trees are extremely randomised ones (Geurts et al., Machine Learning 2006), which split at random places
    and so do not favour features in which a few samples happen to lie well. A shuffled copy of every feature takes
    part: what these are worth is chance.

    Args:
        features: (N, D).
        truth: (N,) class indices.
        trees: of the forest.
        rng: gives all chance.

    Returns:
        What each feature is worth (D,), not negative, and what only one of twenty shuffled ones exceeds.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    count = features.shape[1]
    both = np.concatenate([features, rng.permuted(features, axis=0)], axis=1)
    forest = ExtraTreesClassifier(
        trees,
        max_features=max(1, min(round(0.3 * both.shape[1]), MOST_TRIED)),
        class_weight="balanced",
        random_state=int(rng.integers(2**32)),
        n_jobs=usable_cores(),
    ).fit(both, truth)
    worth = np.asarray(forest.feature_importances_, np.float64)
    return worth[:count], float(np.quantile(worth[count:], CHANCE))


def walk(pull: NDArray[np.float64], ants: int, q0: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Let ants take one feature after the other until none is left.

    Nobody looks at a subset between two of `sizes`, so all that an ant takes in between is chosen at once: of so
    many places each is open to chance with 1 - q0; those are drawn, the best features left fill the others.

    Args:
        pull: (D,) logarithm of each feature's weight in the pseudo-random proportional rule.
        ants: number A of ants.
        q0: chance that a place goes to the best feature left.
        rng: gives all chance.

    Returns:
        (A, D): at which of `sizes`, counted from 0, each ant has each feature.
    """
    steps = sizes(len(pull))
    have = np.full((ants, len(pull)), len(steps))
    # The largest of such numbers are a draw without replacement in proportion to the weights (Gumbel's trick; Kool
    # et al., ICML 2019), also among the features that are left when others have gone.
    lots = pull + rng.gumbel(size=have.shape)
    for step, places in enumerate(np.diff(steps, prepend=0)):
        drawn = rng.binomial(places, 1 - q0, size=(ants, 1))
        for merit, count in ((lots, drawn), (pull, places - drawn)):
            left = np.where(have == len(steps), merit, -np.inf)
            rank = (-left).argsort(1, kind="stable").argsort(1)
            have[rank < count] = step
    return have


def sizes(features: int) -> list[int]:
    """The sizes at which a growing subset is looked at, from one feature to all of them."""
    found = [1]
    while found[-1] < features:
        found.append(min(features, max(found[-1] + 1, round(found[-1] * GROWTH))))
    return found


class Judge:
    """Tells how good subsets of features are at putting samples beside others of their class."""

    def __init__(self, features: NDArray[np.float32], truth: NDArray[np.int64], neighbours: int) -> None:
        """
        Args:
            features: (N, D) of the samples to judge by, each feature with some spread.
            truth: (N,) class indices.
            neighbours: of a sample, that are looked at.
        """
        self._features = torch.from_numpy((features - features.mean(0)) / features.std(0))
        self._truth = torch.from_numpy(truth)
        self._neighbours = min(neighbours, len(truth) - 1)
        frequency = torch.bincount(self._truth).double()
        # Every class weighs the same, however many samples it has here.
        self._weights = 1 / (frequency[self._truth] * (frequency > 0).sum())

    def fitness_along(self, have: NDArray[np.int64]) -> NDArray[np.float64]:
        """The fitness of every subset on an ant's way.

        It is the chance that a sample and one of its nearest neighbours are of the same class: the accuracy, over
        samples that it has not seen, of a classifier that repeats a neighbour's class at random (leave-one-out; as
        in Goldberger et al., NIPS 2004). Distances weigh all features of the subset by their standard deviations.

        Args:
            have: (D,) at which step, counted from 0, the ant has each feature.

        Returns:
            (steps,) each in [0, 1].
        """
        count = len(self._truth)
        products, squares = torch.zeros(count, count), torch.zeros(count)
        found = []
        for step in range(int(have.max()) + 1):
            added = self._features[:, torch.from_numpy(np.flatnonzero(have == step))]
            products.addmm_(added, added.T)
            squares += added.square().sum(1)
            # Squared distances, less what is the same for all neighbours of a sample.
            distances = (squares - 2 * products).fill_diagonal_(torch.inf)
            nearest = distances.topk(self._neighbours, largest=False, sorted=False).indices
            alike = (self._truth[nearest] == self._truth[:, None]).double().mean(1)
            found.append(float((alike * self._weights).sum()))
        return np.array(found)


def largest_as_good(fitness: NDArray[np.float64], samples: int) -> int:
    """The last step whose fitness is the best one's within a standard error.

    A forest loses less by a feature too many than by one too few. The error is that of a share of so many samples,
    which Agresti & Coull (American Statistician 1998) keep from vanishing near 1.
    """
    share = (samples * fitness.max() + 2) / (samples + 4)
    error = np.sqrt(share * (1 - share) / samples)
    return int(np.flatnonzero(fitness >= fitness.max() - error)[-1])
