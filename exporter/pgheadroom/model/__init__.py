"""Defines what is read from a target and derived from it: values, no clock, no I/O."""
