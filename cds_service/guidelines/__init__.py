"""Guidelines as data and decision tables; they know nothing of FHIR, hooks or storage."""
