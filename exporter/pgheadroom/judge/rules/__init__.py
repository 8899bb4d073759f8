"""Finds what is wrong with a target: one module for each kind of trouble, listed by kind."""
