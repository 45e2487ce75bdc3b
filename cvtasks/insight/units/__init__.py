"""What single units look for: their filters, their answers, and what excites them."""
