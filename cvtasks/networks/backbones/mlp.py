"""A fully connected network with two hidden layers: what the convolutional ones are compared with.

LeCun, Bottou, Bengio, Haffner 1998, "Gradient-Based Learning Applied to Document Recognition",
section III-C, "Two-Hidden-Layer Fully Connected Multilayer NN", 28×28-300-100-10. The authors give
it a test error of 3.05 % on MNIST, and 2.50 % where it also learned from distorted images.

| stage | units | output at 28×28 | parameters |
|---|---|---|---|
| input | – | 784 | – |
| fc1 | dense, 300 | 300 | 235,500 |
| fc2 | dense, 100 | 100 | 30,100 |
| output | dense, 10 | 10 | 1,010 |

266,610 parameters with ten classes. Every unit of fc1 sees every pixel through a weight of its own,
so that the number of parameters grows with the area of the image, and the order of the pixels means
nothing to it. Deviations, as in LeNet-5: the activation is tanh without the paper's factors, and
the output is linear for a softmax; hidden units can be dropped in training.
"""

import keras

from cvtasks.networks.backbones.classifiers import dense_layers
from cvtasks.networks.backbones.input_scaling import to_ink


def build(image: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The image itself as a map of stride 1, in the one channel that LeNet-5 sees: all
    layers with weights are `top`.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
    """
    return [to_ink(image)]


def top(
    features: list[keras.KerasTensor], classes: int, dropout: float, auxiliary: bool
) -> list[keras.KerasTensor]:
    """The logits of fc1, fc2 and the output, `(batch, classes)`."""
    return [
        dense_layers(features[-1], ("fc1", "fc2"), (300, 100), classes, dropout, activation="tanh")
    ]
