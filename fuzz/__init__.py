"""What parses bytes of others, one harness for each: run by atheris, and in short by the tests."""
