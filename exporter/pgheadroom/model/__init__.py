"""What is read from a target and what is said of it: values, no clock, no I/O."""
