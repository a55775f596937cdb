"""What operators see of the service: its log, and counts and times; no patient data in either."""
