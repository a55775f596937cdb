"""HTTP in and out: CDS Hooks and what operators ask; nothing is decided here."""
