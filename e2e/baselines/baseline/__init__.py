"""The Python baseline: the hops of the product as a good Python engineer would write them. It shares no code with the product."""
