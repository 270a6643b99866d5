"""The colony finds the features that are known to be informative, and the same ones each time."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import NearestNeighbors

from seqfer.classic.ants import (
    Iteration,
    Judge,
    desirability,
    even_rows,
    largest_as_good,
    select_features,
    sizes,
    walk,
)
from seqfer.classic.config import SelectionConfig
from seqfer.errors import ModelError
from tests.classic.made_samples import ALL, INFORMATIVE, made_samples


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_of_200_features_the_20_informative_ones_are_found(seed: int) -> None:
    features, truth = made_samples(1500, seed)
    learnt, unseen = slice(0, 500), slice(500, None)
    began = time.perf_counter()
    found = select_features(features[learnt], truth[learnt], SelectionConfig(), seed)
    assert time.perf_counter() - began < 60
    assert (found.features < INFORMATIVE).sum() >= 15
    assert len(found.features) <= 40
    assert (np.diff(found.features) > 0).all()
    assert found.rows == 500

    def accuracy(chosen: np.ndarray) -> float:
        forest = RandomForestClassifier(90, random_state=0).fit(features[learnt][:, chosen], truth[learnt])
        return float(forest.score(features[unseen][:, chosen], truth[unseen]))

    assert accuracy(found.features) >= accuracy(np.arange(ALL)) - 0.01


def test_the_same_seed_chooses_the_same_and_every_iteration_is_reported() -> None:
    features, truth = made_samples(200, 0)
    config = SelectionConfig(ants=4, trees=50, iterations=2)
    reports: list[Iteration] = []
    one = select_features(features, truth, config, 3, reports.append)
    two = select_features(features, truth, config, 3)
    assert one.features.tolist() == two.features.tolist()
    assert one.history == two.history == tuple(reports)
    assert [iteration.number for iteration in reports] == [1, 2]
    assert reports[0].mean_fitness <= reports[0].fitness <= reports[1].fitness
    assert one.fitness <= reports[1].fitness
    assert repr(one) == f"Selection({len(one.features)} of {one.candidates} candidates, fitness {one.fitness:.3f})"


def test_features_without_any_spread_are_refused() -> None:
    rng = np.random.default_rng(0)
    features = np.zeros((60, 8), np.float32)
    with pytest.raises(ModelError, match=r"no feature tells .* set selection\.on to false"):
        select_features(features, rng.integers(0, 2, 60), SelectionConfig(trees=20), 0)


def test_where_no_subset_is_worth_anything_one_is_kept_all_the_same() -> None:
    """A single sample of each class has no neighbour of its own."""
    found = select_features(np.array([[0, 1], [1, 0]], np.float32), np.array([0, 1]), SelectionConfig(), 0)
    assert (len(found.features) > 0, found.fitness) == (True, 0.0)


def test_of_noise_alone_next_to_nothing_is_a_candidate() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(300, 200)).astype(np.float32)
    found = select_features(noise, rng.integers(0, 4, 300), SelectionConfig(trees=100), 0)
    assert found.candidates < 0.15 * 200
    assert found.fitness < 0.4  # of four classes


def test_pheromone_draws_later_ants_to_the_best_subset() -> None:
    """With half of all places open to chance, ants agree more in the end than at first."""
    features, truth = made_samples(300, 1)
    config = SelectionConfig(ants=10, trees=50, iterations=8, q0=0.5, decay=0.5)
    history = select_features(features, truth, config, 0).history
    assert history[-1].mean_fitness > history[0].mean_fitness


@pytest.mark.parametrize(
    ("counts", "wanted", "expected"),
    [
        ((10, 10, 10), 9, [3, 3, 3]),
        ((2, 10, 10), 12, [2, 5, 5]),
        ((1, 2, 30), 10, [1, 2, 7]),
        ((3, 4), 100, [3, 4]),
    ],
)
def test_rows_are_drawn_as_evenly_as_classes_allow(
    counts: tuple[int, ...], wanted: int, expected: list[int]
) -> None:
    truth = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    rows = even_rows(truth, wanted, np.random.default_rng(1))
    assert np.bincount(truth[rows]).tolist() == expected
    assert (np.diff(rows) > 0).all()


def test_desirability_knows_informative_features_and_weighs_classes_alike() -> None:
    features, truth = made_samples(500, 2)
    worth, chance = desirability(features, truth, 200, np.random.default_rng(0))
    assert worth.shape == (ALL,)
    assert (worth >= 0).all()
    assert (worth[:INFORMATIVE] > chance).mean() >= 0.9
    assert (worth[INFORMATIVE:] > chance).mean() < 0.15
    # What tells only the rarest class apart is worth something too.
    rng = np.random.default_rng(1)
    rare = (np.arange(1000) < 20).astype(np.int64)
    noise = rng.normal(size=(1000, 30)).astype(np.float32)
    noise[:, 4] += 5 * rare
    worth, chance = desirability(noise, rare, 100, rng)
    assert worth.argmax() == 4


@pytest.mark.parametrize(
    ("features", "expected"), [(1, [1]), (2, [1, 2]), (12, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])]
)
def test_few_features_are_looked_at_one_by_one(features: int, expected: list[int]) -> None:
    assert sizes(features) == expected


def test_many_features_are_looked_at_in_growing_strides() -> None:
    found = sizes(5000)
    assert found[0] == 1
    assert found[-1] == 5000
    assert len(found) < 80
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("q0", [0.0, 0.6, 1.0])
def test_every_ant_takes_every_feature_once(q0: float) -> None:
    pull = np.random.default_rng(0).normal(size=50)
    have = walk(pull, 7, q0, np.random.default_rng(1))
    steps = sizes(50)
    assert have.shape == (7, 50)
    for ant in have:
        assert [(ant <= step).sum() for step in range(len(steps))] == steps


def test_an_ant_that_leaves_nothing_to_chance_takes_the_best_first() -> None:
    pull = np.random.default_rng(0).normal(size=30)
    have = walk(pull, 2, 1.0, np.random.default_rng(1))
    order = np.argsort(-pull)
    assert (np.diff(have[:, order], axis=1) >= 0).all()


def test_chance_draws_in_proportion_to_the_weights() -> None:
    pull = np.log([1.0, 2.0, 5.0])
    first = walk(pull, 20_000, 0.0, np.random.default_rng(0)) == 0
    np.testing.assert_allclose(first.mean(0), [1 / 8, 2 / 8, 5 / 8], atol=0.01)


def test_fitness_is_the_share_of_neighbours_of_the_own_class() -> None:
    features, truth = made_samples(80, 5, classes=3)
    own = features[:, :6]
    have = np.array([0, 0, 1, 2, 2, 2])
    found = Judge(own, truth, 3).fitness_along(have)
    scaled = (own - own.mean(0)) / own.std(0)
    for step, fitness in enumerate(found):
        subset = scaled[:, have <= step]
        nearest = NearestNeighbors(n_neighbors=3).fit(subset).kneighbors(return_distance=False)
        alike = (truth[nearest] == truth[:, None]).mean(1)
        expected = np.mean([alike[truth == label].mean() for label in np.unique(truth)])
        assert fitness == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("fitness", "samples", "expected"),
    [
        ([0.5, 0.9, 0.5], 1000, 1),
        ([0.5, 0.9, 0.895, 0.5], 1000, 2),  # within a standard error of 0.0095
        ([0.5, 0.9, 0.895, 0.5], 100_000, 1),
        ([1.0, 1.0, 0.5], 50, 1),
        ([0.3], 10, 0),
    ],
)
def test_of_subsets_as_good_as_the_best_the_largest_is_kept(
    fitness: list[float], samples: int, expected: int
) -> None:
    assert largest_as_good(np.array(fitness), samples) == expected
