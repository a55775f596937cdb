"""The workbench: a page that plays an EHR over this service, and the infants to play it with."""
