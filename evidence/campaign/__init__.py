"""Damage done on purpose: mutated and hostile files, drawn inputs, kills; evidence/benchmarks/campaign.py runs them."""
