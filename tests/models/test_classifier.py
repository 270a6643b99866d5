from __future__ import annotations

import pytest
import torch

from seqfer.models.classifier import Architecture, SequenceClassifier

SMALL = {"stem_width": 8, "widths": (8, 16), "blocks": (1, 1)}


def model(head: str = "bilstm") -> SequenceClassifier:
    torch.manual_seed(0)
    made = SequenceClassifier(Architecture(encoder_settings=SMALL, head=head)).eval()
    if head == "bilstm":
        torch.nn.init.normal_(made.head.get_submodule("context").weight)  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize("head", ["mean", "bilstm"])
def test_variable_lengths_give_the_same_numbers_alone_or_padded(head: str) -> None:
    classifier = model(head)
    clips = torch.randn(4, 6, 1, 48, 48, generator=torch.Generator().manual_seed(2))
    lengths = torch.tensor([6, 1, 3, 5])
    with torch.inference_mode():
        together = classifier(clips, lengths)
        for row, length in enumerate(lengths):
            alone = classifier(clips[row : row + 1, :length], lengths[row : row + 1])
            assert torch.allclose(together.frame_logits[row, :length], alone.frame_logits[0], atol=1e-5)
            assert torch.allclose(together.clip_logits[row], alone.clip_logits[0], atol=1e-5)


def test_padding_never_reaches_batch_norm() -> None:
    classifier = model("mean").train()
    clips = torch.randn(2, 4, 1, 48, 48)
    padded = torch.cat([clips, torch.full((2, 3, 1, 48, 48), 1e4)], dim=1)
    before = {key: value.clone() for key, value in classifier.state_dict().items()}
    classifier(clips, torch.tensor([4, 4]))
    learnt = {key: value.clone() for key, value in classifier.state_dict().items()}
    classifier.load_state_dict(before)
    classifier(padded, torch.tensor([4, 4]))
    for key, value in classifier.state_dict().items():
        assert torch.allclose(value.float(), learnt[key].float(), atol=1e-6), key


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [((2, 3, 48, 48), [3, 3]), ((2, 3, 1, 48, 48), [3]), ((2, 3, 1, 48, 48), [3, 4]), ((2, 3, 1, 48, 48), [0, 3])],
)
def test_what_does_not_fit_is_refused(shape: tuple[int, ...], lengths: list[int]) -> None:
    with pytest.raises(ValueError, match=r"clips must be|lengths must lie"):
        model()(torch.zeros(shape), torch.tensor(lengths))
