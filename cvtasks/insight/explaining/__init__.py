"""Why a network answered as it did: maps over the image, and checks of them."""

METHODS = (
    *("grad-cam", "grad-cam++", "layercam", "eigencam"),
    *("guided", "deconvnet", "integrated", "smoothgrad", "occlusion"),
)
"""Names of the methods: those of `methods.CAMS`, which look at one layer's map, then those that
look at pixels.
"""
