"""From a measurement to what is durable: checked, named, stamped, and committed in groups."""
