"""What people look at: figures, notebooks, lists of outputs and generated pages."""
