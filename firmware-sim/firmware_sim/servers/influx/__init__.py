"""An HTTP endpoint shaped like InfluxDB, with its dialects, its faults and a store that can be read back."""
