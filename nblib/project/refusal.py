"""Bad input is refused in one line that names the value, the rule and the fix."""


def refuse_if(is_wrong: object, message: str) -> None:
    """Raise ValueError with the message where something is wrong."""
    if is_wrong:
        raise ValueError(message)
