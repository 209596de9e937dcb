"""Names that records, tables and pages share: methods without training, and the trials whose worth is claimed."""

TRUE, LIMIT, MEDIAN = "true background", "posterior (limit)", "running median"
REFIT = "refit without flagged cells, posterior"  # the strongest method without training
CLAIMED = ("simulated labels", "label-free")
LONGER = {trial: f"{trial} (twice the steps)" for trial in CLAIMED}
BY_RESIDUAL = "energies by residual"  # of a record of 06: {trial: {seed: what assess_energies found}}
