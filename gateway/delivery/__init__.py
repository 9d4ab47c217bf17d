"""From the spool to the sinks: batches, retries, dead letters, and the times of boots without a clock."""
