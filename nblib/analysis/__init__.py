"""A user's own spectra: which parts are contaminated, and the background without them."""
