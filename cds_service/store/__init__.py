"""What is recorded of calls: logged, counted, kept, and reported."""
