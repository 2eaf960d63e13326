"""The Python peer: the hops of the house as a good Python engineer would write them. It shares no code with the house."""
