"""Class activation maps: the units of one layer, weighed by what the target's score owes them.

The functions are NumPy alone: A is the layer's map (h, w, channels), g the gradient of the score
with respect to it. They return (h, w) float32, at least 0: what speaks against the target is cut
off, as in the papers.
"""

import numpy as np


def grad_cam(values: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Grad-CAM: ReLU(Σ_k mean(g_k) · A_k).

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", 2017, equations 1 and 2.
    """
    return _positive(values @ gradient.mean(axis=(0, 1)))


def grad_cam_plus_plus(values: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Grad-CAM++: places are weighed too, so that every one of several objects counts.

    Chattopadhay et al., "Grad-CAM++: Improved Visual Explanations for Deep Convolutional Networks",
    2018, equations 5 and 19, with the exponential of the score as the class score. Its value is a
    factor of the whole map and is left out.
    """
    square, cube = gradient**2, gradient**3
    below = 2 * square + values.sum(axis=(0, 1)) * cube
    alpha = np.divide(square, below, out=np.zeros_like(square), where=below != 0)
    weights = (alpha * np.maximum(gradient, 0)).sum(axis=(0, 1))
    return _positive(values @ weights)


def layer_cam(values: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """LayerCAM: ReLU(Σ_k ReLU(g_k) · A_k), each place with its own gradient; also right for early
    layers.

    Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", 2021,
    equations 6 and 7.
    """
    return _positive((np.maximum(gradient, 0) * values).sum(axis=2))


def eigen_cam(values: np.ndarray, gradient: np.ndarray | None = None) -> np.ndarray:
    """EigenCAM: the layer's answer along its first principal direction; it knows of no target and
    needs no gradient.

    Muhammad and Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", 2020,
    equations 3 and 4. The direction's sign, which is free, is that of most of the answer.
    """
    flat = values.reshape(-1, values.shape[2])
    direction = np.linalg.svd(flat, full_matrices=False)[2][0]
    found = flat @ direction
    return _positive((found if found.sum() >= 0 else -found).reshape(values.shape[:2]))


def _positive(found: np.ndarray) -> np.ndarray:
    return np.maximum(found, 0).astype(np.float32)


CAMS = {
    "grad-cam": grad_cam,
    "grad-cam++": grad_cam_plus_plus,
    "layercam": layer_cam,
    "eigencam": eigen_cam,
}
