"""Holds what the tests stand on: real servers and programs, fixtures, values to test with."""
