"""Holds what the tests share: real servers and programs, fixtures, values to test with."""
