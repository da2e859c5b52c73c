"""What things cost, what is wasted, and what to do about it. Pure: it takes nouns and prices, and returns amounts."""
