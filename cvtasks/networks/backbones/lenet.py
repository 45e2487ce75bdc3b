"""LeNet-5.

LeCun, Bottou, Bengio, Haffner 1998, "Gradient-Based Learning Applied to Document Recognition",
section II-B and figure 2.

| stage | kernel | output at 32×32 | parameters |
|---|---|---|---|
| C1 | 5×5, 6 | 28×28×6 | 156 |
| S2 | mean of 2×2 | 14×14×6 | – |
| C3 | 5×5, 16 | 10×10×16 | 2,416 |
| S4 | mean of 2×2 | 5×5×16 | – |
| C5 | dense, 120 | 120 | 48,120 |
| F6 | dense, 84 | 84 | 10,164 |
| output | dense, 10 | 10 | 850 |

61,706 parameters with ten classes. Deviations, all of them usual: every map of C3 sees all of S2
(table I of the paper leaves links out), S2 and S4 are plain means without weights of their own, C5
is written as a dense layer, which equals the paper's 5×5 convolution at 32×32, the activation is
tanh without the paper's factors, and the output is linear for a softmax instead of distances to
drawn characters.
"""

import keras

from cvtasks.networks.backbones.classifiers import dense_layers
from cvtasks.networks.backbones.input_scaling import to_ink
from cvtasks.networks.backbones.norms import normalised

_INPUT = 32


def build(image: keras.KerasTensor, norm: str = "") -> list[keras.KerasTensor]:
    """S2 and S4, of stride 2 and 4.

    Args:
        norm: between each convolution and its tanh; "" for none.
        image: `(batch, height, width, 3)` RGB 0–255. Images of 28×28 pixels, as MNIST has them, get
            two black pixels on each side, as in the paper.
    """
    if image.shape[1:3] == (_INPUT - 4, _INPUT - 4):
        image = keras.layers.ZeroPadding2D(2, name="pad")(image)
    x, maps = to_ink(image), []
    for number, channels in ((1, 6), (3, 16)):
        x = keras.layers.Conv2D(channels, 5, name=f"c{number}")(x)
        x = keras.layers.Activation("tanh", name=f"c{number}_tanh")(
            normalised(x, norm, f"c{number}_norm")
        )
        x = keras.layers.AveragePooling2D(2, name=f"s{number + 1}")(x)
        maps.append(x)
    return maps


def top(
    features: list[keras.KerasTensor], classes: int, dropout: float, auxiliary: bool
) -> list[keras.KerasTensor]:
    """The logits of C5, F6 and the output, `(batch, classes)`."""
    return [
        dense_layers(features[-1], ("c5", "f6"), (120, 84), classes, dropout, activation="tanh")
    ]
