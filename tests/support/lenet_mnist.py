"""LeNet for MNIST, with the trained weights of the test kit."""

from __future__ import annotations

import torch
from torch import nn


class LeNet(nn.Module):
    """The architecture of the kit's MNIST network."""

    def __init__(self):
        super().__init__()
        self.conv_1, self.conv_2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.pool, self.relu = nn.MaxPool2d(2, 2), nn.ReLU()
        self.fc_1, self.fc_2, self.fc_3 = nn.Linear(256, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = self.pool(self.relu(self.conv_1(x)))
        x = self.pool(self.relu(self.conv_2(x))).flatten(1)
        return self.fc_3(self.relu(self.fc_2(self.relu(self.fc_1(x)))))


def lenet(kit, count=4):
    import numpy as np

    network = LeNet()
    network.load_state_dict(torch.load(kit / "models/lenet_mnist_quantus.pth", weights_only=True))
    images = np.load(kit / "arrays/mnist500.npz")
    images = next(images[key] for key in images.files if images[key].ndim >= 3)
    x = torch.from_numpy(images[:count]).double().reshape(count, 1, 28, 28) / 255
    return network.double().eval(), x
