"""Encoders that belong to one paper each, with everything that is odd about them."""

from __future__ import annotations

from torch import Tensor, nn


class FERNetEncoder(nn.Module):
    """The compact CNN of the paper on FER-2013 with "CNN and Deep Learning", for 48 x 48 pixels.

    With 7 labels and the head `mean` it has the 879,623 parameters of the paper's table, and each row's shape. The
    table does not say how the fifth convolution and the pooling after it arrive at 18 x 18 and 8 x 8: a padded
    convolution and a 3 x 3 pooling do. It names no rates of dropout.
    """

    def __init__(self, channels: int = 1, dropout: float = 0.25) -> None:
        """
        Args:
            channels: planes of the input.
            dropout: share of entries dropped after the first and the last pooling in training.
        """
        super().__init__()
        self.embedding_dim = 1024
        self.layers = nn.Sequential(
            nn.Sequential(
                *_conv(channels, 32),  # 46 x 46
                *_conv(32, 64),  # 44 x 44
                nn.MaxPool2d(2),  # 22 x 22
                nn.Dropout(dropout),
            ),
            nn.Sequential(
                *_conv(64, 64),  # 20 x 20
                *_conv(64, 64),  # 18 x 18
                *_conv(64, 128, padding=1),  # 18 x 18
                nn.MaxPool2d(3, 2),  # 8 x 8
            ),
            nn.Sequential(
                *_conv(128, 128),  # 6 x 6
                *_conv(128, 256),  # 4 x 4
                nn.MaxPool2d(2),  # 2 x 2
                nn.MaxPool2d(2),  # 1 x 1
                nn.Dropout(dropout),
                nn.Flatten(),
                nn.Linear(256, self.embedding_dim),
                nn.ReLU(),
            ),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # A net without norms needs it: from Keras's or PyTorch's usual start, logits of different images
                # differ by less than 0.001 at first, and two epochs teach it nothing.
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def stages(self) -> list[nn.Module]:
        return list(self.layers)

    def forward(self, images: Tensor) -> Tensor:  # (N, C, 48, 48) -> (N, 1024)
        embeddings: Tensor = self.layers(images)
        return embeddings


class FlatResNet50Encoder(nn.Module):
    """ResNet-50 of the paper on LIRIS-CSE, for 112 x 112 pixels: 8,192 numbers of its last maps, a hidden layer.

    The paper does not tell the stride of its 3 x 3 max-pooling and the hidden layer's width: we take stride 2 and
    padding 1, as of its first pooling, which make 2 x 2 of 4 x 4; and 512.
    """

    def __init__(self, channels: int = 1, hidden: int = 512) -> None:
        """
        Args:
            channels: planes of the input.
            hidden: width of the hidden layer.
        """
        from seqfer.models.torchvision_encoders import TorchvisionEncoder

        super().__init__()
        self.embedding_dim = hidden
        self.network = TorchvisionEncoder("resnet50", channels)
        self.flatten = nn.Sequential(nn.MaxPool2d(3, 2, padding=1), nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(4 * self.network.embedding_dim, hidden), nn.ReLU())

    def stages(self) -> list[nn.Module]:
        return [*self.network.stages(), self.hidden]

    def forward(self, images: Tensor) -> Tensor:  # (N, C, 112, 112) -> (N, D)
        embeddings: Tensor = self.hidden(self.flatten(self.network.layers(images)))
        return embeddings


def _conv(width_in: int, width_out: int, padding: int = 0) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(width_in, width_out, 3, padding=padding), nn.ReLU()
