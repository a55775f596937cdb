"""What became of the cards: the figures, and three ways to show them."""
