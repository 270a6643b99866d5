from __future__ import annotations

import measure_delay
import numpy as np
import torch

from seqfer.models.heads import BiLSTMHead


def test_delays_are_counted_from_each_change() -> None:
    truth = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    early = [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]  # two frames ahead of the first change; never sees the second
    late = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2]
    found = measure_delay.changes(np.array([truth]), np.array([early]), np.array([late]), 2)
    assert list(found) == [(-2, 1), (10, 2)]


def test_whoever_has_not_yet_left_an_expression_does_not_follow_its_return() -> None:
    truth = np.array([[1, 1, 1, 0, 0, 1, 1, 1, 1, 1]])
    late = np.array([[1, 1, 1, 1, 0, 0, 0, 1, 1, 1]])
    never = np.ones_like(truth)
    assert list(measure_delay.changes(truth, late, never, 3)) == [(1, 10), (2, 10)]


def test_a_change_is_not_looked_for_before_the_one_before() -> None:
    truth = np.array([[1, 1, 0, 1, 1]])
    early = np.array([[0, 1, 0, 1, 1]])
    assert list(measure_delay.changes(truth, truth, early, 3)) == [(0, 0), (0, 0)]


def test_a_clip_without_change_has_none() -> None:
    steady = np.zeros((1, 5), np.int64)
    assert list(measure_delay.changes(steady, steady, steady, 2)) == []


def test_as_it_comes_each_frame_is_the_last_of_its_clip() -> None:
    torch.manual_seed(0)
    head = BiLSTMHead(4, 3, width=4, reach=2).eval()
    torch.nn.init.normal_(head.context.weight)
    embeddings = torch.randn(5, 6, 4)
    live = measure_delay.as_it_comes(head, embeddings)
    assert live.shape == (5, 6)
    assert torch.equal(live[:, 2], measure_delay.as_a_whole(head, embeddings[:, :3])[:, 2])
    assert torch.equal(live[:, -1], measure_delay.as_a_whole(head, embeddings)[:, -1])
