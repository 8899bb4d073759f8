"""Fuzzes everything that parses foreign bytes: run by atheris, and in short form by the tests."""
