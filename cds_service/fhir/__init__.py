"""The FHIR wire format: asking servers, reading resources, writing orders. Nothing clinical."""
