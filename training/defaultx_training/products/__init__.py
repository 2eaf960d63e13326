"""One module a product: its features, its target, its words."""
