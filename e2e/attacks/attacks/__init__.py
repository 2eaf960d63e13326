"""Attacks on a running deployment. Each has a legitimate twin that must succeed, so that a broken suite cannot pass."""
