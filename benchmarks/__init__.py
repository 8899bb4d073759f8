"""What does pgheadroom cost, and how quickly does it answer, beside another exporter?"""
