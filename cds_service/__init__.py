"""An open CDS Hooks service for vitamin B12 deficiency in children under two years."""

__version__ = "0.1.0"

#: The program's own name, and what it is. Nothing else outside ``guidelines/`` names the matter.
PROGRAM = "b12-cds-service"
ABOUT = "CDS Hooks service for vitamin B12 deficiency in children under two years"

#: The beginning of the names under which our extensions of CDS Hooks go over the wire.
EXTENSIONS = f"io.github.{PROGRAM}"
