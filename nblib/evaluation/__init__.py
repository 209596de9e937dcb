"""Evidence: test sets, baselines, assessments, trials and the tables made of them."""
