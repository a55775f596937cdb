"""Guidelines as data and decision tables; they do not know FHIR, hooks or storage."""
