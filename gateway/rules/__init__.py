"""Rules: from values to what is worth sending and what people should know. All pure."""
