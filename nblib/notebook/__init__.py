"""What notebooks use: figures, plots, parameters, progress, runs without a screen. Decides no number."""
