"""What is written down of the calls: logged, counted, kept, and reported."""
