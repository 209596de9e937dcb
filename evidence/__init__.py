"""Evidence for what this project claims: assessments, rivals, trials, tables and pages. Not part of nblib's wheel."""
