"""A model as it reads a batch in training: flat frames in, logits out, in as few bits as pay."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqfer.models.classifier import SequenceClassifier
from seqfer.models.heads import SequenceOutput, frame_mask, padded
from seqfer.models.inference import choose_precision


class Reader(nn.Module):
    """The encoder in few bits, the head in float32; the frames of all clips come one after the other."""

    def __init__(self, model: SequenceClassifier, dtype: torch.dtype) -> None:
        super().__init__()
        self.model, self.dtype = model, dtype

    def forward(self, images: Tensor, lengths: Tensor) -> SequenceOutput:
        with torch.autocast(images.device.type, self.dtype, enabled=self.dtype != torch.float32):
            encoded = self.model.encoder(images)
        mask = frame_mask(lengths, int(lengths.max())).to(images.device)
        output: SequenceOutput = self.model.head(padded(encoded.float(), mask), lengths)
        return output


def autocast_type(precision: str, device: torch.device) -> torch.dtype:
    """In which numbers the encoder computes in training; "auto" takes fewer bits where that is faster."""
    named = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision != "auto":
        return named[precision]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return choose_precision("auto", device)
