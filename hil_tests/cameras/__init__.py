"""Cameras that the project makes itself: rendered scenes, and an RTSP server that streams them, well or badly."""
