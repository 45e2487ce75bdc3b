"""Why a network answered as it did: maps over the picture, and checks of them."""
