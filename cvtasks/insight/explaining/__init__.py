"""Why a network answered as it did: maps over the image, and checks of them."""
