"""Watch many Message Batches at once and stream every result, record by record, into sinks."""
