"""An open CDS Hooks service for vitamin B12 deficiency in children under two years."""

__version__ = "0.1.0"
