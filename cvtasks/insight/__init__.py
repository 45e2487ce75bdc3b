"""See inside: what a network computes, what it costs, and why it answered as it did."""
