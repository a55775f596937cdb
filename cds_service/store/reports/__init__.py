"""What happened to the cards: the figures, and three ways to show them."""
