"""The one reader of records: CSV, NDJSON and JSON, in a request's body or from a source, a record at a time."""
