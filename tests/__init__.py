"""Does pgheadroom do what it says, against real servers wherever one is involved?"""
