"""What every test of a reader asks besides its own question: the file is not changed."""

import warnings


def read_untouched(load, path, **options):
    """What `load` makes of a file, its warnings aside (a test reads them off the result)."""
    before = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = load(path, **options)
    assert path.read_bytes() == before
    return loaded
