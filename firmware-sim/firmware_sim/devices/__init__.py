"""The twins, one device a file; each states the driver or codec of the gateway that it is meant for."""
