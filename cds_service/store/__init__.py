"""What is kept of the calls: their accounts, the store that keeps them, and the reports of them."""
