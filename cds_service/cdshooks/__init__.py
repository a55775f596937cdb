"""The CDS Hooks wire format: requests in, cards out. Nothing clinical lives here."""
