"""The demo: a virtual village, a real gateway, a broker and an independent receiver, and what happens to them."""
