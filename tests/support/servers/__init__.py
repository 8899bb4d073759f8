"""How are the real servers of the tests started, asked and taken away again?"""
