"""How use went, and when the last slot goes. Pure; remembers twelve days in bounded memory."""
